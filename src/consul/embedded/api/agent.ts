import type { Cell, Route } from '../cell.js';
import { ConsulFailure, type ConsulReply, type ConsulRequest, jsonReply, textReply } from '../exchange.js';
import { memberKey, nodeKey, removeService } from '../state/catalog-writes.js';
import type { ServiceRow } from '../state/rows.js';
import { agentCheckRoutes } from './agent-checks.js';
import { registerAgentService } from './agent-registration.js';
import { agentServiceView } from './agent-views.js';
import { serverPort } from './status.js';

export const agentRoutes: readonly Route[] = [
  { path: '/v1/agent/self', methods: { GET: readSelf } },
  { path: '/v1/agent/members', methods: { GET: listMembers } },
  { path: '/v1/agent/services', methods: { GET: listOwnServices } },
  { path: '/v1/agent/service/', methods: { GET: readOwnService } },
  { path: '/v1/agent/service/register', methods: { PUT: registerAgentService } },
  { path: '/v1/agent/service/deregister/', methods: { PUT: deregisterOwnService } },
  ...agentCheckRoutes,
];

/** Services registered through this agent: the node's own, but for the server itself. */
function ownServices(cell: Cell): ServiceRow[] {
  return cell.store.list('services', `${nodeKey(cell.nodeName)}/`).filter((row) => row.ID !== 'consul');
}

function readSelf(cell: Cell, request: ConsulRequest): ConsulReply {
  cell.acl.authorize(request).require('agent', 'read', cell.nodeName);
  const { host, port } = cell.address();
  return jsonReply(request, {
    Config: {
      Datacenter: cell.datacenter,
      PrimaryDatacenter: cell.datacenter,
      NodeName: cell.nodeName,
      NodeID: cell.nodeId,
      Revision: '',
      Server: true,
      Version: cell.version,
      BuildDate: '1970-01-01T00:00:01Z',
    },
    DebugConfig: {
      ACLResolverSettings: {
        ACLDefaultPolicy: cell.defaultPolicy,
        ACLDownPolicy: 'extend-cache',
        ACLPolicyTTL: '30s',
        ACLRoleTTL: '0s',
        ACLTokenTTL: '30s',
        ACLsEnabled: true,
        Datacenter: cell.datacenter,
        EnterpriseMeta: {},
        NodeName: cell.nodeName,
      },
      ACLsEnabled: true,
      ConnectEnabled: true,
      Datacenter: cell.datacenter,
      HTTPAddrs: [`tcp://${host}:${port}`],
      HTTPPort: port,
      KVMaxValueSize: 524288,
      NodeID: cell.nodeId,
      NodeName: cell.nodeName,
      PrimaryDatacenter: cell.datacenter,
      ServerMode: true,
      ServerPort: serverPort,
      SessionTTLMin: '0s',
      Version: cell.version,
    },
    Coord: null,
    Member: memberOf(cell),
    Stats: { consul: { leader: 'true', server: 'true' } },
    Meta: { 'consul-network-segment': '' },
  });
}

function memberOf(cell: Cell): Record<string, unknown> {
  return {
    Name: cell.nodeName,
    Addr: cell.address().host,
    Port: serverPort + 1,
    Tags: {
      acls: '1',
      bootstrap: '1',
      build: `${cell.version}:`,
      dc: cell.datacenter,
      id: cell.nodeId,
      role: 'consul',
    },
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}

function listMembers(cell: Cell, request: ConsulRequest): ConsulReply {
  const isReadable = cell.acl.authorize(request).isAllowed('node', 'read', cell.nodeName);
  return jsonReply(request, isReadable ? [memberOf(cell)] : [], filteredHeader(request, !isReadable));
}

function listOwnServices(cell: Cell, request: ConsulRequest): ConsulReply {
  const authorizer = cell.acl.authorize(request);
  const rows = ownServices(cell);
  const readable = rows.filter((row) => authorizer.isAllowed('service', 'read', row.Service));
  const views = Object.fromEntries(readable.map((row) => [row.ID, agentServiceView(cell, row)]));
  return jsonReply(request, views, filteredHeader(request, readable.length < rows.length));
}

function readOwnService(cell: Cell, request: ConsulRequest): ConsulReply {
  const id = request.path.slice('/v1/agent/service/'.length);
  const authorizer = cell.acl.authorize(request);
  const row = ownServices(cell).find((candidate) => candidate.ID === id);
  if (row === undefined) return textReply(404, `unknown service ID: ${id}`);
  authorizer.require('service', 'read', row.Service);
  const view = agentServiceView(cell, row, true);
  return jsonReply(request, view, { 'X-Consul-ContentHash': String(view.ContentHash) });
}

function deregisterOwnService(cell: Cell, request: ConsulRequest): ConsulReply {
  const id = request.path.slice('/v1/agent/service/deregister/'.length);
  const authorizer = cell.acl.authorize(request);
  const row = cell.store.get('services', memberKey(cell.nodeName, id));
  if (row === undefined || id === 'consul') {
    throw new ConsulFailure(
      404,
      `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
    );
  }
  authorizer.require('service', 'write', row.Service);
  const sidecar = `${id}-sidecar-proxy`;
  cell.store.write((transaction) => {
    removeService(transaction, cell.nodeName, id);
    if (transaction.get('facts', `sidecar/${sidecar}`) === undefined) return;
    removeService(transaction, cell.nodeName, sidecar);
    transaction.remove('facts', `sidecar/${sidecar}`);
  });
  return textReply(200, '');
}

function filteredHeader(request: ConsulRequest, isFiltered: boolean): Record<string, string> {
  const hasToken = request.query.has('token') || request.headers['x-consul-token'] !== undefined;
  return isFiltered && hasToken ? { 'X-Consul-Results-Filtered-By-ACLs': 'true' } : {};
}
