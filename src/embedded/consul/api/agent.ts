import { objectIn, textIn } from '../body.js';
import type { Call, Route } from '../call.js';
import { badRequest, ConsulFailure, type ConsulReply, joinErrors, quoted, textReply } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { ensureService, memberKey, removeService, type Unindexed } from '../state/catalog-writes.js';
import type { ServiceRow } from '../state/rows.js';
import { agentService, requireServiceAddress, toServiceRow } from './service-body.js';

/** Where Consul's servers talk to each other. Nothing listens there: this server has no peers. */
export const serverPort = 8300;

export const agentRoutes: readonly Route[] = [
  { path: '/v1/agent/self', methods: { GET: readSelf } },
  { path: '/v1/agent/members', methods: { GET: listMembers } },
  { path: '/v1/agent/service/register', methods: { PUT: registerOwnService } },
  { path: '/v1/agent/service/deregister/', methods: { PUT: deregisterOwnService } },
  {
    path: '/v1/status/leader',
    methods: { GET: (call) => call.json(`${call.context.host}:${serverPort}`) },
  },
  { path: '/v1/catalog/datacenters', methods: { GET: (call) => call.json([call.context.datacenter]) } },
];

function readSelf(call: Call): ConsulReply {
  const { datacenter, nodeName, nodeId, version, defaultPolicy } = call.context;
  call.authorize().require('agent', 'read', nodeName);
  const place = { Datacenter: datacenter, NodeName: nodeName, NodeID: nodeId };
  return call.json({
    Config: { ...place, Server: true, Version: version },
    DebugConfig: {
      ...place,
      ACLResolverSettings: {
        ACLDefaultPolicy: defaultPolicy,
        ACLPolicyTTL: '30s',
        ACLRoleTTL: '0s',
        ACLTokenTTL: '30s',
        ACLsEnabled: true,
      },
      ACLsEnabled: true,
    },
    Member: memberOf(call.context),
  });
}

function memberOf({ nodeName, nodeId, version, datacenter, host }: ServerContext) {
  return {
    Name: nodeName,
    Addr: host,
    Port: serverPort + 1,
    Tags: { acls: '1', build: `${version}:`, dc: datacenter, id: nodeId, role: 'consul' },
    Status: 1,
  };
}

function listMembers(call: Call): ConsulReply {
  const isReadable = call.authorize().isAllowed('node', 'read', call.context.nodeName);
  return call.json(isReadable ? [memberOf(call.context)] : [], call.filteredHeader(!isReadable));
}

function registerOwnService(call: Call): ConsulReply {
  const body = call.body(agentService, 'Request decode failed');
  const name = textIn(body, 'Name');
  if (name === '') throw badRequest('Missing service name');
  requireServiceAddress(body, badRequest);
  if (objectIn(objectIn(body, 'Connect'), 'SidecarService') !== undefined)
    throw new ConsulFailure(501, 'the embedded Consul serves no sidecars: register the proxy as a service');
  const authorizer = call.authorize();
  const row = toServiceRow(call.context.nodeName, name, body);
  const agentBody = { ...row, Tags: row.Tags ?? [], Meta: row.Meta ?? {} };
  authorizer.require('service', 'write', name);
  const replaced = call.store.get('services', memberKey(agentBody.Node, agentBody.ID));
  if (replaced !== undefined) authorizer.require('service', 'write', replaced.Service);
  if (agentBody.Kind === 'connect-proxy') {
    requireProxy(agentBody);
    authorizer.require('service', 'write', String(agentBody.Proxy.DestinationServiceName));
  }
  call.store.write((transaction) => ensureService(transaction, agentBody));
  return textReply(200, '');
}

function requireProxy({ Proxy: proxy, Port, SocketPath }: Unindexed<ServiceRow>): void {
  const invalid = (why: string) => badRequest(`Validation failed: ${joinErrors([why])}`);
  if ((proxy.DestinationServiceName ?? '') === '')
    throw invalid('Proxy.DestinationServiceName must be non-empty for Connect proxy services');
  if (Port === 0 && SocketPath === '') throw invalid('Port or SocketPath must be set for a connect-proxy');
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
  call.store.write((transaction) => removeService(transaction, nodeName, id));
  return textReply(200, '');
}
