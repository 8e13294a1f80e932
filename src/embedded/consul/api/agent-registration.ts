import { agentServiceShape } from '../entries/service-shape.js';
import type { Decoded } from '../entries/shape.js';
import { badRequest, type ConsulReply, type ConsulRequest, textReply } from '../exchange.js';
import { joinErrors } from '../go-errors.js';
import type { ServerContext } from '../server-context.js';
import { aliasCheckId, followService } from '../state/alias-checks.js';
import {
  ensureCheck,
  ensureService,
  memberKey,
  nodeKey,
  removeCheck,
  type Unindexed,
} from '../state/catalog-writes.js';
import type { CheckRow, ServiceRow } from '../state/rows.js';
import type { WriteTransaction } from '../state/state-store.js';
import {
  decodeStrictBody,
  numberIn,
  objectIn,
  objectsIn,
  textIn,
  textMapIn,
  textsIn,
} from '../strict-body.js';
import { armCheck, keepCheckTtl } from './agent-check-ttl.js';

const firstSidecarPort = 21_000;
const lastSidecarPort = 21_255;

/** `PUT /v1/agent/service/register`, with the sidecar that the definition may carry. */
export function registerAgentService(context: ServerContext, request: ConsulRequest): ConsulReply {
  const body = decodeStrictBody(request.body, agentServiceShape, 'Request decode failed');
  if (textIn(body, 'Name') === '') throw badRequest('Missing service name');
  const address = textIn(body, 'Address');
  if (address === '0.0.0.0' || address === '::' || address === '[::]')
    throw badRequest('Invalid service address');
  const authorizer = context.acl.authorize(request);
  const service = toService(context, body);
  authorizer.require('service', 'write', service.Service);
  const replaced = context.store.get('services', memberKey(context.nodeName, service.ID));
  if (replaced !== undefined) authorizer.require('service', 'write', replaced.Service);
  if (service.Kind === 'connect-proxy') {
    const destination = String(service.Proxy.DestinationServiceName ?? '');
    if (destination === '') {
      throw badRequest(
        `Validation failed: ${joinErrors(['Proxy.DestinationServiceName must be non-empty for Connect proxy services'])}`,
      );
    }
    if (service.Port === 0 && service.SocketPath === '') {
      throw badRequest(
        `Validation failed: ${joinErrors(['Port or SocketPath must be set for a connect-proxy'])}`,
      );
    }
    authorizer.require('service', 'write', destination);
  }
  const sidecarBody = objectIn(objectIn(body, 'Connect') ?? {}, 'SidecarService');
  const checks = checksOf(context, body, service);
  context.store.write((transaction) => {
    const rows = checks.map(({ row }) => row);
    put(transaction, context, service, rows);
    for (const { row, ttl } of checks) keepCheckTtl(transaction, row.CheckID, ttl);
    followService(transaction, context.nodeName, service.ID);
    if (sidecarBody === undefined) return;
    const sidecar = toSidecar(transaction, context, service, sidecarBody);
    authorizer.require('service', 'write', sidecar.Service);
    put(transaction, context, sidecar, sidecarChecks(context, service, sidecar));
    transaction.put('facts', `sidecar/${sidecar.ID}`, { value: service.ID });
    followService(transaction, context.nodeName, service.ID);
  });
  for (const { row } of checks) armCheck(context, row.CheckID);
  return textReply(200, '');
}

/** Registering again replaces the checks as well, but one that goes on keeps its status. */
function put(
  transaction: WriteTransaction,
  context: ServerContext,
  service: Unindexed<ServiceRow>,
  checks: readonly Unindexed<CheckRow>[],
): void {
  ensureService(transaction, service);
  for (const old of transaction.list('checks', `${nodeKey(context.nodeName)}/`)) {
    if (old.ServiceID === service.ID && !checks.some((check) => check.CheckID === old.CheckID)) {
      removeCheck(transaction, context.nodeName, old.CheckID);
    }
  }
  for (const check of checks) {
    const old = transaction.get('checks', memberKey(context.nodeName, check.CheckID));
    ensureCheck(
      transaction,
      old === undefined ? check : { ...check, Status: old.Status, Output: old.Output },
    );
  }
}

function toService(context: ServerContext, body: Decoded): Unindexed<ServiceRow> {
  const name = textIn(body, 'Name');
  const weights = objectIn(body, 'Weights');
  const connect = objectIn(body, 'Connect') ?? {};
  return {
    Node: context.nodeName,
    Kind: textIn(body, 'Kind'),
    ID: textIn(body, 'ID') || name,
    Service: name,
    Tags: textsIn(body, 'Tags') ?? [],
    Address: textIn(body, 'Address'),
    TaggedAddresses: objectIn(body, 'TaggedAddresses') ?? null,
    Port: numberIn(body, 'Port'),
    SocketPath: textIn(body, 'SocketPath'),
    Meta: textMapIn(body, 'Meta') ?? {},
    Weights:
      weights === undefined
        ? { Passing: 1, Warning: 1 }
        : { Passing: numberIn(weights, 'Passing'), Warning: numberIn(weights, 'Warning') },
    EnableTagOverride: body.EnableTagOverride === true,
    Proxy: objectIn(body, 'Proxy') ?? {},
    Connect: connect.Native === true ? { Native: true } : {},
  };
}

function toSidecar(
  transaction: WriteTransaction,
  context: ServerContext,
  service: Unindexed<ServiceRow>,
  body: Decoded,
): Unindexed<ServiceRow> {
  const id = `${service.ID}-sidecar-proxy`;
  const own = toService(context, {
    ...body,
    Name: textIn(body, 'Name') || `${service.Service}-sidecar-proxy`,
  });
  return {
    ...own,
    Kind: 'connect-proxy',
    ID: id,
    Tags: textsIn(body, 'Tags') ?? service.Tags,
    Meta: textMapIn(body, 'Meta') ?? service.Meta,
    Port: own.Port === 0 ? sidecarPort(transaction, context, id) : own.Port,
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

function sidecarPort(transaction: WriteTransaction, context: ServerContext, id: string): number {
  const before = transaction.get('services', memberKey(context.nodeName, id));
  if (before !== undefined) return before.Port;
  const taken = new Set(transaction.list('services', `${nodeKey(context.nodeName)}/`).map((row) => row.Port));
  for (let port = firstSidecarPort; port <= lastSidecarPort; port += 1) if (!taken.has(port)) return port;
  throw badRequest('Invalid SidecarService: none left in the configured range');
}

interface AgentCheck {
  readonly row: Unindexed<CheckRow>;
  /** A Go duration; empty for a check that others run, which nobody does here. */
  readonly ttl: string;
}

function checksOf(context: ServerContext, body: Decoded, service: Unindexed<ServiceRow>): AgentCheck[] {
  const single = objectIn(body, 'Check');
  const definitions = [...(single === undefined ? [] : [single]), ...objectsIn(body, 'Checks')];
  return definitions.map((definition, index) => {
    const given = textIn(definition, 'CheckID') || textIn(definition, 'ID');
    const numbered = definitions.length > 1 ? `:${index + 1}` : '';
    const row = {
      ...emptyCheck(context, service),
      CheckID: given === '' ? `service:${service.ID}${numbered}` : given,
      Name: textIn(definition, 'Name') || `Service '${service.Service}' check`,
      Status: textIn(definition, 'Status'),
      Notes: textIn(definition, 'Notes'),
      Type: typeOf(definition),
      Interval: textIn(definition, 'Interval'),
      Timeout: textIn(definition, 'Timeout'),
    };
    return { row, ttl: textIn(definition, 'TTL') };
  });
}

function typeOf(definition: Decoded): string {
  for (const [field, type] of [
    ['TTL', 'ttl'],
    ['HTTP', 'http'],
    ['TCP', 'tcp'],
    ['UDP', 'udp'],
    ['GRPC', 'grpc'],
  ] as const) {
    if (textIn(definition, field) !== '') return type;
  }
  return textIn(definition, 'AliasService') === '' ? '' : 'alias';
}

/** Nobody probes here: the listener's check stays critical, as for a sidecar that was never started. */
function sidecarChecks(
  context: ServerContext,
  service: Unindexed<ServiceRow>,
  sidecar: Unindexed<ServiceRow>,
): Unindexed<CheckRow>[] {
  const base = emptyCheck(context, sidecar);
  return [
    {
      ...base,
      CheckID: `service:${sidecar.ID}:1`,
      Name: 'Connect Sidecar Listening',
      Type: 'tcp',
      Interval: '10s',
    },
    {
      ...base,
      CheckID: aliasCheckId(sidecar.ID),
      Name: `Connect Sidecar Aliasing ${service.ID}`,
      Type: 'alias',
    },
  ];
}

function emptyCheck(context: ServerContext, service: Unindexed<ServiceRow>): Unindexed<CheckRow> {
  return {
    Node: context.nodeName,
    CheckID: '',
    Name: '',
    Status: '',
    Notes: '',
    Output: '',
    ServiceID: service.ID,
    ServiceName: service.Service,
    ServiceTags: service.Tags ?? [],
    Type: '',
    Interval: '',
    Timeout: '',
    ExposedPort: 0,
    Definition: {},
  };
}
