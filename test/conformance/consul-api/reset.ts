import { send } from '../../support/send.js';
import type { ConsulUnderTest } from './exchange.js';
import { identityProvider } from './identity-provider.js';

const keptPolicies = new Set(['global-management', 'builtin/global-read-only']);

/** Removes what earlier scenarios left on the server; resolves to the name of the server's own node. */
export async function resetConsul(server: ConsulUnderTest): Promise<string> {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const { status, ok, text, isJson } = await send(`${server.address}${path}`, {
      method,
      headers: { 'X-Consul-Token': server.managementToken },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!ok && status !== 404) throw new Error(`${method} ${path}: ${status} ${text}`);
    return isJson ? JSON.parse(text) : undefined;
  };
  const list = async (path: string): Promise<Record<string, unknown>[]> => {
    const found = await call('GET', path);
    return Array.isArray(found) ? found : [];
  };
  const self: unknown = await call('GET', '/v1/agent/self');
  const nodeName = String(Object(Object(self).Config).NodeName);
  // Intentions first: protocols cannot be taken from under them.
  for (const kind of ['service-intentions', 'service-defaults', 'proxy-defaults']) {
    for (const entry of await list(`/v1/config/${kind}`)) {
      await call('DELETE', `/v1/config/${kind}/${encodeURIComponent(String(entry.Name))}`);
    }
  }
  for (const session of await list('/v1/session/list'))
    await call('PUT', `/v1/session/destroy/${session.ID}`);
  await call('DELETE', '/v1/kv/?recurse');
  const own: unknown = await call('GET', `/v1/catalog/node/${nodeName}`);
  for (const id of Object.keys(Object(Object(own).Services))) {
    if (id !== 'consul') await call('PUT', `/v1/agent/service/deregister/${id}`);
  }
  for (const node of await list('/v1/catalog/nodes')) {
    if (node.Node !== nodeName) await call('PUT', '/v1/catalog/deregister', { Node: node.Node });
  }
  for (const token of await list('/v1/acl/tokens')) {
    const isOwn = token.SecretID === server.managementToken || token.SecretID === 'anonymous';
    if (!isOwn) await call('DELETE', `/v1/acl/token/${token.AccessorID}`);
  }
  for (const method of await list('/v1/acl/auth-methods')) {
    await call('DELETE', `/v1/acl/auth-method/${method.Name}`);
  }
  for (const role of await list('/v1/acl/roles')) await call('DELETE', `/v1/acl/role/${role.ID}`);
  for (const policy of await list('/v1/acl/policies')) {
    if (!keptPolicies.has(String(policy.Name))) await call('DELETE', `/v1/acl/policy/${policy.ID}`);
  }
  await moveIndexes(call);
  return nodeName;
}

/** Changes every table once, so that no index tells how long the server has lived. */
async function moveIndexes(
  call: (method: string, path: string, body?: unknown) => Promise<unknown>,
): Promise<void> {
  const idOf = (answer: unknown) => String(Object(answer).ID);
  await call('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'reset' });
  await call('DELETE', '/v1/config/service-defaults/reset');
  await call('PUT', '/v1/kv/reset', 'reset');
  await call('DELETE', '/v1/kv/reset');
  const session = idOf(await call('PUT', '/v1/session/create'));
  await call('PUT', `/v1/session/destroy/${session}`);
  await call('PUT', '/v1/catalog/register', {
    Node: 'reset',
    Address: '10.0.0.9',
    Service: { Service: 'reset' },
  });
  await call('PUT', '/v1/catalog/deregister', { Node: 'reset' });
  const policy = idOf(await call('PUT', '/v1/acl/policy', { Name: 'reset' }));
  await call('DELETE', `/v1/acl/policy/${policy}`);
  const role = idOf(await call('PUT', '/v1/acl/role', { Name: 'reset' }));
  await call('DELETE', `/v1/acl/role/${role}`);
  const { publicKey } = await identityProvider();
  await call('PUT', '/v1/acl/auth-method', {
    Name: 'reset',
    Type: 'jwt',
    Config: { JWTValidationPubKeys: [publicKey] },
  });
  await call('PUT', '/v1/acl/binding-rule', { AuthMethod: 'reset', BindType: 'role', BindName: 'reset' });
  await call('DELETE', '/v1/acl/auth-method/reset');
  const token = String(Object(await call('PUT', '/v1/acl/token', {})).AccessorID);
  await call('DELETE', `/v1/acl/token/${token}`);
}
