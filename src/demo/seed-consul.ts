import { randomUUID } from 'node:crypto';
import { type ConsulPlace, callConsul } from './consul-api.js';
import type { DemoService } from './mesh.js';

const POLICY = 'scopemesh';

/** The least rules for a scopemesh whose owner is `demo`, and whose console shows tokens. */
const RULES = `service_prefix "" {
  policy = "read"
  intentions = "write"
}
node_prefix "" {
  policy = "read"
}
agent_prefix "" {
  policy = "read"
}
key_prefix "scopemesh/demo/" {
  policy = "write"
}
session_prefix "" {
  policy = "write"
}
acl = "read"
`;

/** Registers the shop in Consul: protocols, then services with their claims. Repeating it is safe. */
export async function registerServices(
  consul: ConsulPlace,
  services: readonly DemoService[],
  ports: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    services.map(async ({ name, client, protocol }) => {
      const defaults = { Kind: 'service-defaults', Name: name, Protocol: protocol };
      await callConsul(consul, { path: '/v1/config', body: defaults }, signal);
      const registration = {
        Name: name,
        Address: '127.0.0.1',
        Port: ports.get(name) ?? 0,
        // The demo stands in for the proxies, and calls any service without a configured upstream.
        Connect: { Native: true },
        Meta: client === undefined ? {} : { 'oauth-client-id': client },
      };
      await callConsul(consul, { path: '/v1/agent/service/register', body: registration }, signal);
    }),
  );
}

/** A new token with the least rules that scopemesh needs. */
export async function createLeastToken(consul: ConsulPlace, signal: AbortSignal): Promise<string> {
  const policy = { Name: POLICY, Rules: RULES };
  const path = `/v1/acl/policy/name/${POLICY}`;
  const found = await callConsul(consul, { path, alsoGood: [403, 404] }, signal);
  if (found.status !== 200) await callConsul(consul, { path: '/v1/acl/policy', body: policy }, signal);
  const secretId = randomUUID();
  const aclToken = { SecretID: secretId, Description: 'scopemesh', Policies: [{ Name: POLICY }] };
  await callConsul(consul, { path: '/v1/acl/token', body: aclToken }, signal);
  return secretId;
}
