import type { Authorizer } from '../acl/authorizer.js';
import { objectIn, textIn, textMapIn } from '../body.js';
import type { Call, Route } from '../call.js';
import { badRequest, type ConsulReply, serverFailure } from '../exchange.js';
import { readable } from '../query.js';
import type { Decoded } from '../shape.js';
import {
  ensureNode,
  ensureService,
  lastExtinction,
  lastNodeExtinction,
  memberKey,
  nodeIndex,
  nodeKey,
  removeNode,
  removeService,
  serviceIndex,
  type Unindexed,
} from '../state/catalog-writes.js';
import type { NodeRow, ServiceRow } from '../state/rows.js';
import { endSessionsOf } from '../state/sessions.js';
import type { StateStore } from '../state/state-store.js';
import {
  catalogDeregistration,
  catalogRegistration,
  requireServiceAddress,
  toServiceRow,
} from './service-body.js';

export const catalogRoutes: readonly Route[] = [
  { path: '/v1/catalog/register', methods: { PUT: register } },
  { path: '/v1/catalog/deregister', methods: { PUT: deregister } },
  { path: '/v1/catalog/nodes', methods: { GET: listNodes } },
  { path: '/v1/catalog/services', methods: { GET: listServices } },
  { path: '/v1/catalog/service/', methods: { GET: (call) => listInstances(call, false) } },
  { path: '/v1/catalog/connect/', methods: { GET: (call) => listInstances(call, true) } },
  { path: '/v1/health/service/', methods: { GET: (call) => listInstances(call, false, healthView) } },
  { path: '/v1/health/connect/', methods: { GET: (call) => listInstances(call, true, healthView) } },
  { path: '/v1/catalog/node/', methods: { GET: readNode } },
];

/** `?node-meta=key:value`, each of which a node must have. */
function hasNodeMeta(call: Call, node: NodeRow): boolean {
  return call.request.query.getAll('node-meta').every((pair) => {
    const [, key = pair, expected = ''] = /^([^:]*):(.*)$/s.exec(pair) ?? [];
    const value = node.Meta?.[key];
    return value !== undefined && (expected === '' || value === expected);
  });
}

function listNodes(call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  return call.answer((watch) => {
    watch.table('nodes');
    const rows = call.store.list('nodes').filter((row) => hasNodeMeta(call, row));
    const found = readable(rows, (row) => authorizer.isAllowed('node', 'read', row.Node));
    return { index: call.store.indexOf('nodes'), ...found };
  }, true);
}

/** The names of services with the tags of all their instances. */
function listServices(call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  return call.answer((watch) => {
    watch.table('services');
    const tags = new Map<string, Set<string>>();
    const rows = withNodes(call, call.store.list('services'));
    const seen = readable(rows, ({ row }) => authorizer.isAllowed('service', 'read', row.Service));
    for (const { row } of seen.value) {
      tags.set(row.Service, new Set([...(tags.get(row.Service) ?? []), ...(row.Tags ?? [])]));
    }
    const value = Object.fromEntries([...tags].map(([name, known]) => [name, [...known]]));
    return { index: call.store.indexOf('services'), value, filtered: seen.filtered };
  }, true);
}

function listInstances(
  call: Call,
  isConnect: boolean,
  view: (instance: Instance) => Record<string, unknown> = instanceView,
): Promise<ConsulReply> {
  const authorizer = call.authorize();
  const name = call.rest;
  if (name === '') throw badRequest('Missing service name');
  const tags = call.request.query.getAll('tag').map((tag) => tag.toLowerCase());
  return call.answer((watch) => {
    watch.table('services');
    watch.table('nodes');
    const rows = instancesOf(call.store, name, isConnect);
    const tagged = rows.filter((row) => {
      const own = (row.Tags ?? []).map((tag) => tag.toLowerCase());
      return tags.every((tag) => own.includes(tag));
    });
    // An instance is visible to those who may read both its node and its service.
    const { value, filtered } = readable(
      withNodes(call, tagged),
      ({ row }) =>
        authorizer.isAllowed('node', 'read', row.Node) &&
        authorizer.isAllowed('service', 'read', row.Service),
    );
    const index = instancesIndex(call.store, name, rows.length > 0);
    return { index, value: value.map(view), filtered };
  }, true);
}

interface Instance {
  readonly row: ServiceRow;
  readonly node: NodeRow;
}

/** The instances whose nodes exist and have the required meta. */
function withNodes(call: Call, rows: readonly ServiceRow[]): Instance[] {
  return rows.flatMap((row) => {
    const node = call.store.get('nodes', nodeKey(row.Node));
    return node === undefined || !hasNodeMeta(call, node) ? [] : [{ row, node }];
  });
}

/** Instances of the service; or of its sidecars, and of the terminating gateways that name it. */
function instancesOf(store: StateStore, name: string, isConnect: boolean): ServiceRow[] {
  const lowerName = name.toLowerCase();
  const gateways = isConnect ? terminatingGatewaysOf(store, lowerName) : new Set<string>();
  return store.list('services').filter((row) => {
    if (!isConnect) return row.Service.toLowerCase() === lowerName;
    if (row.Kind === 'connect-proxy')
      return String(row.Proxy.DestinationServiceName).toLowerCase() === lowerName;
    if (row.Kind === 'terminating-gateway') return gateways.has(row.Service.toLowerCase());
    return row.Connect.Native === true && row.Service.toLowerCase() === lowerName;
  });
}

function terminatingGatewaysOf(store: StateStore, serviceName: string): ReadonlySet<string> {
  const naming = store.list('config-entries', 'terminating-gateway/').filter(({ Services: linked }) => {
    const names = Array.isArray(linked) ? linked.map((each: Decoded) => String(each.Name)) : [];
    return names.some((name) => name === '*' || name.toLowerCase() === serviceName);
  });
  return new Set(naming.map(({ Name }) => Name.toLowerCase()));
}

/** The index of a service's instances: its own, or, where it has none, when a service last went away. */
function instancesIndex(store: StateStore, serviceName: string, exists: boolean): number {
  const gone = store.indexOf(lastExtinction);
  if (!exists && gone > 0) return gone;
  return store.indexOf(serviceIndex(serviceName)) || store.indexOf('nodes', 'services');
}

function instanceView({ row, node }: Instance): Record<string, unknown> {
  return {
    ID: node.ID,
    Node: node.Node,
    Address: node.Address,
    Datacenter: node.Datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: row.Kind,
    ServiceID: row.ID,
    ServiceName: row.Service,
    ServiceTags: row.Tags ?? [],
    ServiceAddress: row.Address,
    ...(row.TaggedAddresses === null ? {} : { ServiceTaggedAddresses: row.TaggedAddresses }),
    ServiceWeights: row.Weights,
    ServiceMeta: row.Meta ?? {},
    ServicePort: row.Port,
    ServiceSocketPath: row.SocketPath,
    ServiceEnableTagOverride: row.EnableTagOverride,
    ServiceProxy: row.Proxy,
    ServiceConnect: row.Connect,
    CreateIndex: row.CreateIndex,
    ModifyIndex: row.ModifyIndex,
  };
}

/** Nothing here runs health checks, so every instance passes. */
function healthView({ row, node }: Instance): Record<string, unknown> {
  return { Node: node, Service: serviceView(row), Checks: [] };
}

function readNode(call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  const name = call.rest;
  if (name === '') throw badRequest('Missing node name');
  return call.answer((watch) => {
    const node = call.store.get('nodes', nodeKey(name));
    watch.table('nodes');
    watch.prefix('services', `${nodeKey(name)}/`);
    if (node === undefined) return { index: call.store.indexOf(lastNodeExtinction), value: null };
    const index = call.store.indexOf(nodeIndex(name));
    if (!authorizer.isAllowed('node', 'read', node.Node)) return { index, value: null, filtered: true };
    const rows = call.store.list('services', `${nodeKey(name)}/`);
    const seen = readable(rows, (row) => authorizer.isAllowed('service', 'read', row.Service));
    const services = Object.fromEntries(seen.value.map((row) => [row.ID, serviceView(row)]));
    return { index, value: { Node: node, Services: services }, filtered: seen.filtered };
  }, true);
}

/** A service within its node. */
function serviceView({ Node: _node, ...row }: ServiceRow): Record<string, unknown> {
  const { Kind, Port, SocketPath, TaggedAddresses, ...rest } = row;
  return {
    ...(Kind === '' ? {} : { Kind }),
    ...rest,
    Tags: row.Tags ?? [],
    ...(TaggedAddresses === null ? {} : { TaggedAddresses }),
    ...(Port === 0 ? {} : { Port }),
    ...(SocketPath === '' ? {} : { SocketPath }),
    PeerName: '',
  };
}

function register(call: Call): ConsulReply {
  const body = call.body(catalogRegistration, 'Request decode failed');
  const authorizer = call.authorize();
  const [name, address] = [textIn(body, 'Node'), textIn(body, 'Address')];
  if (name === '') throw serverFailure('Must provide node');
  const skipsNode = body.SkipNodeUpdate === true;
  if (address === '' && !skipsNode) throw serverFailure('Must provide address if SkipNodeUpdate is not set');
  const node: Unindexed<NodeRow> = {
    ID: textIn(body, 'ID'),
    Node: name,
    Address: address,
    Datacenter: textIn(body, 'Datacenter') || call.context.datacenter,
    TaggedAddresses: textMapIn(body, 'TaggedAddresses'),
    Meta: textMapIn(body, 'NodeMeta'),
  };
  const given = objectIn(body, 'Service');
  const serviceRow = given === undefined ? undefined : catalogService(name, given, authorizer);
  const current = call.store.get('nodes', nodeKey(name));
  const writesNode = current === undefined || !skipsNode;
  if (writesNode && !isSameNode(current, node)) authorizer.require('node', 'write', name);
  if (serviceRow !== undefined) {
    authorizer.require('service', 'write', serviceRow.Service);
    const replaced = call.store.get('services', memberKey(name, serviceRow.ID));
    if (replaced !== undefined) authorizer.require('service', 'write', replaced.Service);
  }
  call.store.write((transaction) => {
    if (writesNode) ensureNode(transaction, node);
    if (serviceRow !== undefined) ensureService(transaction, serviceRow);
  });
  return call.json(true);
}

function catalogService(node: string, given: Decoded, authorizer: Authorizer): Unindexed<ServiceRow> {
  const name = textIn(given, 'Service');
  if (name === '' && textIn(given, 'ID') !== '') {
    throw serverFailure('Must provide service name (Service.Service) when service ID is provided');
  }
  requireServiceAddress(given, serverFailure);
  if (name !== 'consul') authorizer.require('service', 'write', name);
  const serviceRow = toServiceRow(node, name, given);
  if (serviceRow.Kind === 'connect-proxy')
    authorizer.require('service', 'write', String(serviceRow.Proxy.DestinationServiceName ?? ''));
  return serviceRow;
}

function isSameNode(current: NodeRow | undefined, node: Unindexed<NodeRow>): boolean {
  const isSame = (left: unknown, right: unknown) =>
    JSON.stringify(left ?? {}) === JSON.stringify(right ?? {});
  return (
    current !== undefined &&
    current.Address === node.Address &&
    current.ID === node.ID &&
    isSame(current.Meta, node.Meta) &&
    isSame(current.TaggedAddresses, node.TaggedAddresses)
  );
}

function deregister(call: Call): ConsulReply {
  const body = call.body(catalogDeregistration, 'Request decode failed');
  const node = textIn(body, 'Node');
  const [serviceId, checkId] = [textIn(body, 'ServiceID'), textIn(body, 'CheckID')];
  if (node === '') throw serverFailure('Must provide node');
  const authorizer = call.authorize();
  if (!authorizer.isAllowed('node', 'write', node)) {
    const serviceRow = call.store.get('services', memberKey(node, serviceId));
    if (serviceId === '' && checkId === '') throw authorizer.refusal('node', 'write', node);
    if (serviceId === '') throw serverFailure(`Unknown check ID '${checkId}'`);
    if (serviceRow === undefined) throw serverFailure(`Unknown service ID '${serviceId}'`);
    authorizer.require('service', 'write', serviceRow.Service);
  }
  call.store.write((transaction) => {
    if (serviceId !== '') removeService(transaction, node, serviceId);
    else if (checkId === '') {
      removeNode(transaction, node);
      endSessionsOf(transaction, call.context.sessions, node);
    }
  });
  return call.json(true);
}
