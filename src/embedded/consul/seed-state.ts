import { randomUUID } from 'node:crypto';
import { isoInstant } from '../../clock.js';
import { anonymousAccessorId, globalManagementPolicyId } from './acl/acl-resolver.js';
import { contentHash } from './acl/content-hash.js';
import { serverPort } from './api/agent.js';
import { toServiceRow } from './api/service-body.js';
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
 * and itself in the catalog. Does not change a state that has them. Returns the management secret in force.
 */
export function seedState(context: ServerContext): string {
  const { store } = context;
  const known = store.get('facts', 'management-secret')?.value;
  if (known !== undefined) return known;
  const secret = randomUUID();
  const created = isoInstant(context.clock);
  store.write((transaction) => {
    transaction.put('facts', 'node-id', { value: context.nodeId });
    transaction.put('facts', 'management-secret', { value: secret });
    transaction.put('acl-policies', globalManagementPolicyId, {
      ID: globalManagementPolicyId,
      Name: 'global-management',
      Description: 'Builtin Policy that grants unlimited access',
      Rules: managementRules,
      Hash: contentHash(managementRules),
      ...transaction.stamp('acl-policies', globalManagementPolicyId),
    });
  });
  store.write((transaction) => {
    const put = (AccessorID: string, SecretID: string, Description: string, policies: object) =>
      transaction.put('acl-tokens', AccessorID, {
        AccessorID,
        SecretID,
        Description,
        ...policies,
        Local: false,
        CreateTime: created,
        Hash: contentHash(AccessorID),
        ...transaction.stamp('acl-tokens', AccessorID),
      });
    const management = [{ ID: globalManagementPolicyId, Name: 'global-management' }];
    put(randomUUID(), secret, 'Initial Management Token', { Policies: management });
    put(anonymousAccessorId, 'anonymous', 'Anonymous Token', {});
  });
  store.write((transaction) => transaction.touch('config-entries'));
  registerSelf(context);
  return secret;
}

function registerSelf(context: ServerContext): void {
  const { host } = context;
  context.store.write((transaction) => {
    ensureNode(transaction, {
      ID: context.nodeId,
      Node: context.nodeName,
      Address: host,
      Datacenter: context.datacenter,
      TaggedAddresses: { lan: host, lan_ipv4: host, wan: host, wan_ipv4: host },
      Meta: { 'consul-network-segment': '' },
    });
    const proxy = { Mode: '', MeshGateway: {}, Expose: {} };
    const body = { Tags: [], Port: serverPort, Meta: { version: context.version }, Proxy: proxy };
    ensureService(transaction, toServiceRow(context.nodeName, 'consul', body));
  });
}
