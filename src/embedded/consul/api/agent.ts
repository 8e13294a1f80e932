import type { Call, Route } from '../call.js';
import { ConsulFailure, type ConsulReply, quoted, textReply } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { memberKey, nodeKey, removeService } from '../state/catalog-writes.js';
import type { ServiceRow } from '../state/rows.js';
import { registerAgentService } from './agent-registration.js';

/** Where Consul's servers talk to each other. Nothing listens there: this server has no peers. */
export const serverPort = 8300;

export const agentRoutes: readonly Route[] = [
  { path: '/v1/agent/self', methods: { GET: readSelf } },
  { path: '/v1/agent/members', methods: { GET: listMembers } },
  { path: '/v1/agent/services', methods: { GET: listOwnServices } },
  { path: '/v1/agent/service/register', methods: { PUT: registerAgentService } },
  { path: '/v1/agent/service/deregister/', methods: { PUT: deregisterOwnService } },
  {
    path: '/v1/status/leader',
    methods: { GET: (call) => call.json(`${call.context.address().host}:${serverPort}`) },
  },
  { path: '/v1/catalog/datacenters', methods: { GET: (call) => call.json([call.context.datacenter]) } },
];

function readSelf(call: Call): ConsulReply {
  const { datacenter, nodeName, nodeId, version, defaultPolicy, address } = call.context;
  call.authorize().require('agent', 'read', nodeName);
  const { host, port } = address();
  const place = { Datacenter: datacenter, PrimaryDatacenter: datacenter, NodeName: nodeName, NodeID: nodeId };
  return call.json({
    Config: { ...place, Revision: '', Server: true, Version: version, BuildDate: '1970-01-01T00:00:01Z' },
    DebugConfig: {
      ...place,
      ACLResolverSettings: {
        ACLDefaultPolicy: defaultPolicy,
        ACLDownPolicy: 'extend-cache',
        ACLPolicyTTL: '30s',
        ACLRoleTTL: '0s',
        ACLTokenTTL: '30s',
        ACLsEnabled: true,
        Datacenter: datacenter,
        EnterpriseMeta: {},
        NodeName: nodeName,
      },
      ACLsEnabled: true,
      ConnectEnabled: true,
      HTTPAddrs: [`tcp://${host}:${port}`],
      HTTPPort: port,
      KVMaxValueSize: 524288,
      ServerMode: true,
      ServerPort: serverPort,
      SessionTTLMin: '0s',
      Version: version,
    },
    Coord: null,
    Member: memberOf(call.context),
    Stats: { consul: { leader: 'true', server: 'true' } },
    Meta: { 'consul-network-segment': '' },
  });
}

function memberOf({ nodeName, nodeId, version, datacenter, address }: ServerContext) {
  return {
    Name: nodeName,
    Addr: address().host,
    Port: serverPort + 1,
    Tags: {
      acls: '1',
      bootstrap: '1',
      build: `${version}:`,
      dc: datacenter,
      id: nodeId,
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

function listMembers(call: Call): ConsulReply {
  const isReadable = call.authorize().isAllowed('node', 'read', call.context.nodeName);
  return call.json(isReadable ? [memberOf(call.context)] : [], call.filteredHeader(!isReadable));
}

/** The services registered through this agent: those of its node but for the server itself. */
function listOwnServices(call: Call): ConsulReply {
  const { store, context } = call;
  const authorizer = call.authorize();
  const rows = store.list('services', `${nodeKey(context.nodeName)}/`).filter((row) => row.ID !== 'consul');
  const readable = rows.filter((row) => authorizer.isAllowed('service', 'read', row.Service));
  const views = Object.fromEntries(readable.map((row) => [row.ID, agentServiceView(context, row)]));
  return call.json(views, call.filteredHeader(readable.length < rows.length));
}

/** A service as its agent shows it: without indexes, and of a sidecar without the fields that the catalog adds. */
function agentServiceView(context: ServerContext, row: ServiceRow): Record<string, unknown> {
  const { Mode: mode, ...proxy } = row.Proxy;
  const isProxy = row.Kind !== '';
  const { 'consul-virtual': _virtual, ...tagged } = row.TaggedAddresses ?? {};
  return {
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
    Datacenter: context.datacenter,
  };
}

function deregisterOwnService(call: Call): ConsulReply {
  const id = call.rest;
  const { nodeName } = call.context;
  const authorizer = call.authorize();
  const row = call.store.get('services', memberKey(nodeName, id));
  if (row === undefined || id === 'consul') {
    throw new ConsulFailure(
      404,
      `Unknown service ID ${quoted(id)}. Ensure that the service ID is passed, not the service name.`,
    );
  }
  authorizer.require('service', 'write', row.Service);
  const sidecar = `${id}-sidecar-proxy`;
  call.store.write((transaction) => {
    removeService(transaction, nodeName, id);
    if (transaction.get('facts', `sidecar/${sidecar}`) === undefined) return;
    removeService(transaction, nodeName, sidecar);
    transaction.remove('facts', `sidecar/${sidecar}`);
  });
  return textReply(200, '');
}
