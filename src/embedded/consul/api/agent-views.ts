import { createHash } from 'node:crypto';
import type { ServerContext } from '../server-context.js';
import type { CheckRow, ServiceRow } from '../state/rows.js';

/** A service as its own agent tells it: without indexes, and of a sidecar without the fields the catalog adds. */
export function agentServiceView(
  context: ServerContext,
  row: ServiceRow,
  hasHash = false,
): Record<string, unknown> {
  const { Mode: mode, ...proxy } = row.Proxy;
  const isProxy = row.Kind !== '';
  const { 'consul-virtual': _virtual, ...tagged } = row.TaggedAddresses ?? {};
  const view = {
    ...(isProxy ? { Kind: row.Kind } : {}),
    ID: row.ID,
    Service: row.Service,
    Tags: row.Tags ?? [],
    Meta: row.Meta ?? {},
    Port: row.Port,
    Address: row.Address,
    ...(Object.keys(tagged).length === 0 ? {} : { TaggedAddresses: tagged }),
    Weights: row.Weights,
    EnableTagOverride: row.EnableTagOverride,
    ...(isProxy ? { Proxy: mode === '' || mode === undefined ? proxy : row.Proxy } : {}),
    ...(row.Connect.Native === true ? { Connect: { Native: true } } : {}),
  };
  const hash = createHash('sha256').update(JSON.stringify(view)).digest('hex').slice(0, 16);
  return { ...view, ...(hasHash ? { ContentHash: hash } : {}), Datacenter: context.datacenter };
}

/** A check as the agent's health answers tell it: spelled out, but without its type and times. */
export function agentHealthCheckView(row: CheckRow): Record<string, unknown> {
  const { Type: _type, Interval: _interval, Timeout: _timeout, Definition: _definition, ...rest } = row;
  return { ...rest, Type: '', Definition: emptyDefinition, CreateIndex: 0, ModifyIndex: 0 };
}

const emptyDefinition = {
  Interval: '0s',
  Timeout: '0s',
  DeregisterCriticalServiceAfter: '0s',
  HTTP: '',
  Header: null,
  Method: '',
  Body: '',
  TLSServerName: '',
  TLSSkipVerify: false,
  TCP: '',
  UDP: '',
  GRPC: '',
  OSService: '',
  GRPCUseTLS: false,
};

/** A check as its own agent tells it: indexes are the catalog's alone. */
export function agentCheckView(row: CheckRow): Record<string, unknown> {
  return { ...row, CreateIndex: 0, ModifyIndex: 0 };
}
