import { ConsulFailure, type ConsulReply, type ConsulRequest, jsonReply, textReply } from '../exchange.js';
import type { Route, ServerContext } from '../server-context.js';
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
function ownServices(context: ServerContext): ServiceRow[] {
  return context.store.list('services', `${nodeKey(context.nodeName)}/`).filter((row) => row.ID !== 'consul');
}

function readSelf(context: ServerContext, request: ConsulRequest): ConsulReply {
  context.acl.authorize(request).require('agent', 'read', context.nodeName);
  const { host, port } = context.address();
  return jsonReply(request, {
    Config: {
      Datacenter: context.datacenter,
      PrimaryDatacenter: context.datacenter,
      NodeName: context.nodeName,
      NodeID: context.nodeId,
      Revision: '',
      Server: true,
      Version: context.version,
      BuildDate: '1970-01-01T00:00:01Z',
    },
    DebugConfig: {
      ACLResolverSettings: {
        ACLDefaultPolicy: context.defaultPolicy,
        ACLDownPolicy: 'extend-cache',
        ACLPolicyTTL: '30s',
        ACLRoleTTL: '0s',
        ACLTokenTTL: '30s',
        ACLsEnabled: true,
        Datacenter: context.datacenter,
        EnterpriseMeta: {},
        NodeName: context.nodeName,
      },
      ACLsEnabled: true,
      ConnectEnabled: true,
      Datacenter: context.datacenter,
      HTTPAddrs: [`tcp://${host}:${port}`],
      HTTPPort: port,
      KVMaxValueSize: 524288,
      NodeID: context.nodeId,
      NodeName: context.nodeName,
      PrimaryDatacenter: context.datacenter,
      ServerMode: true,
      ServerPort: serverPort,
      SessionTTLMin: '0s',
      Version: context.version,
    },
    Coord: null,
    Member: memberOf(context),
    Stats: { consul: { leader: 'true', server: 'true' } },
    Meta: { 'consul-network-segment': '' },
  });
}

function memberOf(context: ServerContext): Record<string, unknown> {
  return {
    Name: context.nodeName,
    Addr: context.address().host,
    Port: serverPort + 1,
    Tags: {
      acls: '1',
      bootstrap: '1',
      build: `${context.version}:`,
      dc: context.datacenter,
      id: context.nodeId,
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

function listMembers(context: ServerContext, request: ConsulRequest): ConsulReply {
  const isReadable = context.acl.authorize(request).isAllowed('node', 'read', context.nodeName);
  return jsonReply(request, isReadable ? [memberOf(context)] : [], filteredHeader(request, !isReadable));
}

function listOwnServices(context: ServerContext, request: ConsulRequest): ConsulReply {
  const authorizer = context.acl.authorize(request);
  const rows = ownServices(context);
  const readable = rows.filter((row) => authorizer.isAllowed('service', 'read', row.Service));
  const views = Object.fromEntries(readable.map((row) => [row.ID, agentServiceView(context, row)]));
  return jsonReply(request, views, filteredHeader(request, readable.length < rows.length));
}

function readOwnService(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice('/v1/agent/service/'.length);
  const authorizer = context.acl.authorize(request);
  const row = ownServices(context).find((candidate) => candidate.ID === id);
  if (row === undefined) return textReply(404, `unknown service ID: ${id}`);
  authorizer.require('service', 'read', row.Service);
  const view = agentServiceView(context, row, true);
  return jsonReply(request, view, { 'X-Consul-ContentHash': String(view.ContentHash) });
}

function deregisterOwnService(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice('/v1/agent/service/deregister/'.length);
  const authorizer = context.acl.authorize(request);
  const row = context.store.get('services', memberKey(context.nodeName, id));
  if (row === undefined || id === 'consul') {
    throw new ConsulFailure(
      404,
      `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
    );
  }
  authorizer.require('service', 'write', row.Service);
  const sidecar = `${id}-sidecar-proxy`;
  context.store.write((transaction) => {
    removeService(transaction, context.nodeName, id);
    if (transaction.get('facts', `sidecar/${sidecar}`) === undefined) return;
    removeService(transaction, context.nodeName, sidecar);
    transaction.remove('facts', `sidecar/${sidecar}`);
  });
  return textReply(200, '');
}

function filteredHeader(request: ConsulRequest, isFiltered: boolean): Record<string, string> {
  const hasToken = request.query.has('token') || request.headers['x-consul-token'] !== undefined;
  return isFiltered && hasToken ? { 'X-Consul-Results-Filtered-By-ACLs': 'true' } : {};
}
