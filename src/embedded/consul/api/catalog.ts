import type { Authorizer } from '../acl/authorizer.js';
import { catalogDeregisterShape, catalogRegisterShape } from '../entries/service-shape.js';
import type { Decoded } from '../entries/shape.js';
import { badRequest, type ConsulReply, type ConsulRequest, jsonReply, serverFailure } from '../exchange.js';
import { replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import {
  ensureCheck,
  ensureNode,
  ensureService,
  lastExtinction,
  lastNodeExtinction,
  memberKey,
  nodeIndex,
  nodeKey,
  removeCheck,
  removeNode,
  removeService,
  serviceIndex,
  type Unindexed,
} from '../state/catalog-writes.js';
import type { CheckRow, NodeRow, ServiceRow } from '../state/rows.js';
import { endSessionsOf } from '../state/session-writes.js';
import type { StateStore } from '../state/state-store.js';
import {
  decodeStrictBody,
  numberIn,
  objectIn,
  objectsIn,
  textIn,
  textMapIn,
  textsIn,
} from '../strict-body.js';
import { catalogServiceView, nodeServiceView, nodeView } from './catalog-views.js';

export const catalogRoutes: readonly Route[] = [
  { path: '/v1/catalog/register', methods: { PUT: register } },
  { path: '/v1/catalog/deregister', methods: { PUT: deregister } },
  { path: '/v1/catalog/nodes', methods: { GET: listNodes } },
  { path: '/v1/catalog/services', methods: { GET: listServices } },
  {
    path: '/v1/catalog/service/',
    methods: { GET: (context, request) => listInstances(context, request, false) },
  },
  {
    path: '/v1/catalog/connect/',
    methods: { GET: (context, request) => listInstances(context, request, true) },
  },
  { path: '/v1/catalog/node/', methods: { GET: readNode } },
];

/** The index of a service's instances: its own, or, where it has none, when a service last went away. */
export function instancesIndex(
  store: StateStore,
  service: string,
  exists: boolean,
  withChecks: boolean,
): number {
  const gone = store.indexOf(lastExtinction);
  if (!exists && gone > 0) return gone;
  const own = store.indexOf(serviceIndex(service));
  if (own > 0) return own;
  return withChecks ? store.indexOf('nodes', 'services', 'checks') : store.indexOf('nodes', 'services');
}

/** `?node-meta=key:value`, each of which a node must have. */
export function hasNodeMeta(request: ConsulRequest, node: NodeRow): boolean {
  return request.query.getAll('node-meta').every((pair) => {
    const colon = pair.indexOf(':');
    const key = colon < 0 ? pair : pair.slice(0, colon);
    const wanted = colon < 0 ? '' : pair.slice(colon + 1);
    const value = node.Meta?.[key];
    return value !== undefined && (wanted === '' || value === wanted);
  });
}

function listNodes(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  return replyWithQuery(
    context,
    request,
    (watch) => {
      watch.table('nodes');
      const rows = context.store.list('nodes').filter((row) => hasNodeMeta(request, row));
      const value = rows.filter((row) => authorizer.isAllowed('node', 'read', row.Node));
      return {
        index: context.store.indexOf('nodes'),
        value: value.map(nodeView),
        filtered: value.length < rows.length,
      };
    },
    true,
  );
}

function listServices(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  return replyWithQuery(
    context,
    request,
    (watch) => {
      watch.table('services');
      const tags = new Map<string, Set<string>>();
      let isFiltered = false;
      for (const row of context.store.list('services')) {
        const node = context.store.get('nodes', nodeKey(row.Node));
        if (node === undefined || !hasNodeMeta(request, node)) continue;
        if (!authorizer.isAllowed('service', 'read', row.Service)) {
          isFiltered = true;
          continue;
        }
        const known = tags.get(row.Service) ?? new Set();
        tags.set(row.Service, known);
        for (const tag of row.Tags ?? []) known.add(tag);
      }
      const value = Object.fromEntries([...tags].map(([name, known]) => [name, [...known]]));
      return { index: context.store.indexOf('services'), value, filtered: isFiltered };
    },
    true,
  );
}

function listInstances(
  context: ServerContext,
  request: ConsulRequest,
  isConnect: boolean,
): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const name = request.path.slice(isConnect ? '/v1/catalog/connect/'.length : '/v1/catalog/service/'.length);
  if (name === '') throw badRequest('Missing service name');
  const tags = request.query.getAll('tag').map((tag) => tag.toLowerCase());
  return replyWithQuery(
    context,
    request,
    (watch) => {
      watch.table('services');
      watch.table('nodes');
      const rows = instancesOf(context.store, name, isConnect);
      const tagged = rows.filter((row) =>
        tags.every((tag) => row.Tags?.some((own) => own.toLowerCase() === tag)),
      );
      const found = tagged.flatMap((row) => {
        const node = context.store.get('nodes', nodeKey(row.Node));
        return node === undefined || !hasNodeMeta(request, node) ? [] : [{ row, node }];
      });
      const value = found.filter(({ row }) => isVisible(authorizer, row));
      return {
        index: instancesIndex(context.store, name, rows.length > 0, false),
        value: value.map(({ row, node }) => catalogServiceView(row, node)),
        filtered: value.length < found.length,
      };
    },
    true,
  );
}

/** Instances of the service, or of the sidecars that stand for it in the mesh. */
export function instancesOf(store: StateStore, name: string, isConnect: boolean): ServiceRow[] {
  const wanted = name.toLowerCase();
  return store.list('services').filter((row) => {
    if (!isConnect) return row.Service.toLowerCase() === wanted;
    if (row.Kind === 'connect-proxy')
      return String(row.Proxy.DestinationServiceName).toLowerCase() === wanted;
    return row.Connect.Native === true && row.Service.toLowerCase() === wanted;
  });
}

/** An instance is seen by those who may read both its node and its service. */
export function isVisible(authorizer: Authorizer, row: ServiceRow): boolean {
  return (
    authorizer.isAllowed('node', 'read', row.Node) && authorizer.isAllowed('service', 'read', row.Service)
  );
}

function readNode(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const name = request.path.slice('/v1/catalog/node/'.length);
  if (name === '') throw badRequest('Missing node name');
  return replyWithQuery(
    context,
    request,
    (watch) => {
      const node = context.store.get('nodes', nodeKey(name));
      watch.table('nodes');
      watch.prefix('services', `${nodeKey(name)}/`);
      if (node === undefined) return { index: context.store.indexOf(lastNodeExtinction), value: null };
      const index = context.store.indexOf(nodeIndex(name));
      if (!authorizer.isAllowed('node', 'read', node.Node)) return { index, value: null, filtered: true };
      const rows = context.store.list('services', `${nodeKey(name)}/`);
      const seen = rows.filter((row) => authorizer.isAllowed('service', 'read', row.Service));
      const services = Object.fromEntries(seen.map((row) => [row.ID, nodeServiceView(row)]));
      return {
        index,
        value: { Node: nodeView(node), Services: services },
        filtered: seen.length < rows.length,
      };
    },
    true,
  );
}

function register(context: ServerContext, request: ConsulRequest): ConsulReply {
  const body = decodeStrictBody(request.body, catalogRegisterShape, 'Request decode failed');
  const authorizer = context.acl.authorize(request);
  const nodeName = textIn(body, 'Node');
  if (nodeName === '') throw serverFailure('Must provide node');
  const address = textIn(body, 'Address');
  const skipsNode = body.SkipNodeUpdate === true;
  if (address === '' && !skipsNode) throw serverFailure('Must provide address if SkipNodeUpdate is not set');
  const node: Unindexed<NodeRow> = {
    ID: textIn(body, 'ID'),
    Node: nodeName,
    Address: address,
    Datacenter: textIn(body, 'Datacenter') || context.datacenter,
    TaggedAddresses: textMapIn(body, 'TaggedAddresses'),
    Meta: textMapIn(body, 'NodeMeta'),
  };
  const given = objectIn(body, 'Service');
  const service = given === undefined ? undefined : toServiceRow(nodeName, given, authorizer);
  const single = objectIn(body, 'Check');
  const checks = [...objectsIn(body, 'Checks'), ...(single === undefined ? [] : [single])].map((check) =>
    toCheckRow(nodeName, check),
  );
  vetRegistration(context.store, authorizer, node, skipsNode, service, checks);
  context.store.write((transaction) => {
    const current = transaction.get('nodes', nodeKey(nodeName));
    if (current === undefined || !skipsNode) ensureNode(transaction, node);
    if (service !== undefined) ensureService(transaction, service);
    for (const check of checks) {
      ensureCheck(transaction, check);
      if (check.Status === 'critical') endSessionsOf(transaction, context.sessions, nodeName, check.CheckID);
    }
  });
  return jsonReply(request, true);
}

function toServiceRow(node: string, given: Decoded, authorizer: Authorizer): Unindexed<ServiceRow> {
  const name = textIn(given, 'Service');
  const id = textIn(given, 'ID') || name;
  if (id !== '' && name === '') {
    throw serverFailure('Must provide service name (Service.Service) when service ID is provided');
  }
  const address = textIn(given, 'Address');
  if (address === '0.0.0.0' || address === '::' || address === '[::]')
    throw serverFailure('Invalid service address');
  if (name !== 'consul') authorizer.require('service', 'write', name);
  const proxy = objectIn(given, 'Proxy') ?? {};
  if (textIn(given, 'Kind') === 'connect-proxy') {
    authorizer.require('service', 'write', textIn(proxy, 'DestinationServiceName'));
  }
  const weights = objectIn(given, 'Weights');
  return {
    Node: node,
    Kind: textIn(given, 'Kind'),
    ID: id,
    Service: name,
    Tags: textsIn(given, 'Tags'),
    Address: address,
    TaggedAddresses: objectIn(given, 'TaggedAddresses') ?? null,
    Port: numberIn(given, 'Port'),
    SocketPath: textIn(given, 'SocketPath'),
    Meta: textMapIn(given, 'Meta'),
    Weights: {
      Passing: numberIn(weights ?? { Passing: 1 }, 'Passing'),
      Warning: numberIn(weights ?? { Warning: 1 }, 'Warning'),
    },
    EnableTagOverride: given.EnableTagOverride === true,
    Proxy: proxy,
    Connect: objectIn(given, 'Connect') ?? {},
  };
}

function toCheckRow(node: string, given: Decoded): Unindexed<CheckRow> {
  return {
    Node: textIn(given, 'Node') || node,
    CheckID: textIn(given, 'CheckID') || textIn(given, 'Name'),
    Name: textIn(given, 'Name'),
    Status: textIn(given, 'Status'),
    Notes: textIn(given, 'Notes'),
    Output: textIn(given, 'Output'),
    ServiceID: textIn(given, 'ServiceID'),
    ServiceName: textIn(given, 'ServiceName'),
    ServiceTags: textsIn(given, 'ServiceTags') ?? [],
    Type: textIn(given, 'Type'),
    Interval: textIn(given, 'Interval'),
    Timeout: textIn(given, 'Timeout'),
    ExposedPort: numberIn(given, 'ExposedPort'),
    Definition: objectIn(given, 'Definition') ?? {},
  };
}

/** Whoever registers must be allowed every part: a new or changed node, the service, and what it replaces. */
function vetRegistration(
  store: StateStore,
  authorizer: Authorizer,
  node: Unindexed<NodeRow>,
  skipsNode: boolean,
  service: Unindexed<ServiceRow> | undefined,
  checks: readonly Unindexed<CheckRow>[],
): void {
  const current = store.get('nodes', nodeKey(node.Node));
  const changesNode =
    current === undefined ||
    (!skipsNode &&
      (current.Address !== node.Address ||
        current.ID !== node.ID ||
        JSON.stringify(current.Meta ?? {}) !== JSON.stringify(node.Meta ?? {}) ||
        JSON.stringify(current.TaggedAddresses ?? {}) !== JSON.stringify(node.TaggedAddresses ?? {})));
  if (changesNode) authorizer.require('node', 'write', node.Node);
  if (service !== undefined) {
    authorizer.require('service', 'write', service.Service);
    const replaced = store.get('services', memberKey(node.Node, service.ID));
    if (replaced !== undefined) authorizer.require('service', 'write', replaced.Service);
  }
  for (const check of checks) {
    if (check.Node.toLowerCase() !== node.Node.toLowerCase()) {
      throw serverFailure(
        `Node '${check.Node}' for check '${check.CheckID}' doesn't match register request node '${node.Node}'`,
      );
    }
    if (check.ServiceID === '') authorizer.require('node', 'write', node.Node);
    else if (check.ServiceID !== service?.ID) {
      const other = store.get('services', memberKey(node.Node, check.ServiceID));
      if (other === undefined) {
        throw serverFailure(`Unknown service ID '${check.ServiceID}' for check ID '${check.CheckID}'`);
      }
      authorizer.require('service', 'write', other.Service);
    }
  }
}

function deregister(context: ServerContext, request: ConsulRequest): ConsulReply {
  const body = decodeStrictBody(request.body, catalogDeregisterShape, 'Request decode failed');
  const [node, serviceId, checkId] = [
    textIn(body, 'Node'),
    textIn(body, 'ServiceID'),
    textIn(body, 'CheckID'),
  ];
  if (node === '') throw serverFailure('Must provide node');
  const authorizer = context.acl.authorize(request);
  if (!authorizer.isAllowed('node', 'write', node)) {
    const service = context.store.get('services', memberKey(node, serviceId));
    const check = context.store.get('checks', memberKey(node, checkId));
    if (serviceId !== '') {
      if (service === undefined) throw serverFailure(`Unknown service ID '${serviceId}'`);
      authorizer.require('service', 'write', service.Service);
    } else if (checkId !== '') {
      if (check === undefined) throw serverFailure(`Unknown check ID '${checkId}'`);
      if (check.ServiceID === '') throw authorizer.refusal('node', 'write', node);
      authorizer.require('service', 'write', check.ServiceName);
    } else throw authorizer.refusal('node', 'write', node);
  }
  context.store.write((transaction) => {
    if (serviceId !== '') removeService(transaction, node, serviceId);
    else if (checkId !== '') {
      if (removeCheck(transaction, node, checkId) !== undefined)
        endSessionsOf(transaction, context.sessions, node, checkId);
    } else {
      removeNode(transaction, node);
      endSessionsOf(transaction, context.sessions, node);
    }
  });
  return jsonReply(request, true);
}
