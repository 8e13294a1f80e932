import { randomUUID } from 'node:crypto';
import { anonymousAccessorId, globalManagementPolicyId } from './acl/acl-resolver.js';
import { contentHash } from './acl/content-hash.js';
import { serverPort } from './api/agent.js';
import type { ServerContext } from './server-context.js';
import { ensureNode, ensureService } from './state/catalog-writes.js';

const managementRules = `
acl = "write"
agent_prefix "" { policy = "write" }
event_prefix "" { policy = "write" }
key_prefix "" { policy = "write" }
keyring = "write"
node_prefix "" { policy = "write" }
operator = "write"
mesh = "write"
peering = "write"
query_prefix "" { policy = "write" }
service_prefix "" { policy = "write" intentions = "write" }
session_prefix "" { policy = "write" }`;

/**
 * Gives a new state what a fresh server has: the built-in policy, the initial management and the anonymous token,
 * and itself in the catalog. A state that has them is left alone. Returns the management secret in force.
 */
export function seedState(context: ServerContext, secret: string): string {
  const { store } = context;
  const known = store.get('facts', 'management-secret')?.value;
  if (known !== undefined) return known;
  const created = new Date(context.clock.now()).toISOString();
  store.write((transaction) => {
    transaction.put('facts', 'node-id', { value: context.nodeId });
    transaction.put('facts', 'management-secret', { value: secret });
    transaction.put('acl-policies', globalManagementPolicyId, {
      ID: globalManagementPolicyId,
      Name: 'global-management',
      Description: 'Builtin Policy that grants unlimited access',
      Rules: managementRules,
      Hash: contentHash(managementRules),
      CreateIndex: transaction.index,
      ModifyIndex: transaction.index,
    });
    transaction.touch('acl-policies');
  });
  store.write((transaction) => {
    const accessorId = randomUUID();
    const indexes = { CreateIndex: transaction.index, ModifyIndex: transaction.index };
    transaction.put('facts', 'bootstrap-index', { value: String(transaction.index) });
    transaction.put('acl-tokens', accessorId, {
      AccessorID: accessorId,
      SecretID: secret,
      Description: 'Initial Management Token',
      Policies: [{ ID: globalManagementPolicyId, Name: 'global-management' }],
      Local: false,
      CreateTime: created,
      Hash: contentHash(accessorId),
      ...indexes,
    });
    transaction.put('acl-tokens', anonymousAccessorId, {
      AccessorID: anonymousAccessorId,
      SecretID: 'anonymous',
      Description: 'Anonymous Token',
      Local: false,
      CreateTime: created,
      Hash: contentHash('anonymous'),
      ...indexes,
    });
    transaction.touch('acl-tokens');
  });
  store.write((transaction) => transaction.touch('config-entries'));
  registerSelf(context);
  return secret;
}

function registerSelf(context: ServerContext): void {
  const { host } = context.address();
  context.store.write((transaction) => {
    ensureNode(transaction, {
      ID: context.nodeId,
      Node: context.nodeName,
      Address: host,
      Datacenter: context.datacenter,
      TaggedAddresses: { lan: host, lan_ipv4: host, wan: host, wan_ipv4: host },
      Meta: { 'consul-network-segment': '' },
    });
    ensureService(transaction, {
      Node: context.nodeName,
      Kind: '',
      ID: 'consul',
      Service: 'consul',
      Tags: [],
      Address: '',
      TaggedAddresses: null,
      Port: serverPort,
      SocketPath: '',
      Meta: { version: context.version },
      Weights: { Passing: 1, Warning: 1 },
      EnableTagOverride: false,
      Proxy: { Mode: '', MeshGateway: {}, Expose: {} },
      Connect: {},
    });
  });
}
