import { objectIn, textIn, textMapIn, textsIn } from '../body.js';
import type { Call } from '../call.js';
import { badRequest, type ConsulReply, joinErrors, textReply } from '../exchange.js';
import type { Decoded } from '../shape.js';
import { ensureService, memberKey, nodeKey, type Unindexed } from '../state/catalog-writes.js';
import type { ServiceRow } from '../state/rows.js';
import type { WriteTransaction } from '../state/state-store.js';
import { agentService, requireServiceAddress, toServiceRow } from './service-body.js';

const firstSidecarPort = 21_000;
const lastSidecarPort = 21_255;

/** `PUT /v1/agent/service/register`, with the sidecar that the definition may carry. */
export function registerAgentService(call: Call): ConsulReply {
  const body = call.body(agentService, 'Request decode failed');
  const name = textIn(body, 'Name');
  if (name === '') throw badRequest('Missing service name');
  requireServiceAddress(body, badRequest);
  const authorizer = call.authorize();
  const { nodeName } = call.context;
  const service = toOwnService(nodeName, name, body);
  authorizer.require('service', 'write', name);
  const replaced = call.store.get('services', memberKey(nodeName, service.ID));
  if (replaced !== undefined) authorizer.require('service', 'write', replaced.Service);
  if (service.Kind === 'connect-proxy') {
    requireProxy(service);
    authorizer.require('service', 'write', String(service.Proxy.DestinationServiceName));
  }
  const sidecarBody = objectIn(objectIn(body, 'Connect'), 'SidecarService');
  call.store.write((transaction) => {
    ensureService(transaction, service);
    if (sidecarBody === undefined) return;
    const sidecar = toSidecar(transaction, service, sidecarBody);
    authorizer.require('service', 'write', sidecar.Service);
    ensureService(transaction, sidecar);
    transaction.put('facts', `sidecar/${sidecar.ID}`, { value: service.ID });
  });
  return textReply(200, '');
}

function requireProxy({ Proxy: proxy, Port, SocketPath }: Unindexed<ServiceRow>): void {
  const invalid = (why: string) => badRequest(`Validation failed: ${joinErrors([why])}`);
  if ((proxy.DestinationServiceName ?? '') === '')
    throw invalid('Proxy.DestinationServiceName must be non-empty for Connect proxy services');
  if (Port === 0 && SocketPath === '') throw invalid('Port or SocketPath must be set for a connect-proxy');
}

/** A service of this agent; absent tags and meta read as empty ones. */
function toOwnService(node: string, name: string, body: Decoded): Unindexed<ServiceRow> {
  const row = toServiceRow(node, name, body);
  return { ...row, Tags: row.Tags ?? [], Meta: row.Meta ?? {} };
}

function toSidecar(
  transaction: WriteTransaction,
  service: Unindexed<ServiceRow>,
  body: Decoded,
): Unindexed<ServiceRow> {
  const id = `${service.ID}-sidecar-proxy`;
  const name = textIn(body, 'Name') || `${service.Service}-sidecar-proxy`;
  const own = toOwnService(service.Node, name, body);
  return {
    ...own,
    Kind: 'connect-proxy',
    ID: id,
    Tags: textsIn(body, 'Tags') ?? service.Tags,
    Meta: textMapIn(body, 'Meta') ?? service.Meta,
    Port: own.Port === 0 ? sidecarPort(transaction, service.Node, id) : own.Port,
    Proxy: {
      DestinationServiceName: service.Service,
      DestinationServiceID: service.ID,
      LocalServiceAddress: '127.0.0.1',
      ...(service.Port === 0 ? {} : { LocalServicePort: service.Port }),
      ...own.Proxy,
    },
    Connect: {},
  };
}

function sidecarPort(transaction: WriteTransaction, node: string, id: string): number {
  const before = transaction.get('services', memberKey(node, id));
  if (before !== undefined) return before.Port;
  const taken = new Set(transaction.list('services', `${nodeKey(node)}/`).map((row) => row.Port));
  for (let port = firstSidecarPort; port <= lastSidecarPort; port += 1) if (!taken.has(port)) return port;
  throw badRequest('Invalid SidecarService: none left in the configured range');
}
