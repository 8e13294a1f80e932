import { createHmac, randomUUID } from 'node:crypto';
import type { Delivery, ProviderWorld } from '../../conformance/provider-flow.js';
import { FakeKeycloak } from '../../identity/keycloak/fake-keycloak.js';

const WEBHOOK_SECRET = 'webhook-secret-0123456789';

/** The stand-in for Keycloak, changed by its administrator; its log and its webhook tell the same under the same ids. */
export async function startFakeKeycloakWorld(): Promise<ProviderWorld> {
  const keycloak = await new FakeKeycloak().start();
  let deliveries: Delivery[] = [];
  const find = (clientId: string) => {
    const client = keycloak.clients.find((each) => each.clientId === clientId);
    if (client === undefined) throw new Error(`no client ${clientId}`);
    return client;
  };
  const tell = (operationType: string, resourcePath: string, representation?: object) => {
    const event = {
      id: randomUUID(),
      time: Date.now(),
      operationType,
      resourceType: 'CLIENT',
      resourcePath,
      authDetails: { userId: 'u', realmId: 'master', ipAddress: '127.0.0.1' },
      ...(representation === undefined ? {} : { representation: JSON.stringify(representation) }),
    };
    // Newest first; a log that grew without end would be copied at every change.
    keycloak.events = [event, ...keycloak.events.slice(0, 2_000)];
    const body = JSON.stringify({
      ...event,
      realmName: keycloak.realm,
      type: `admin.CLIENT-${operationType}`,
    });
    deliveries.push({ headers: { 'x-keycloak-signature': sign(body) }, body });
  };
  return {
    settings: {
      kind: 'keycloak',
      issuer: keycloak.issuer,
      clientId: 'scopemesh',
      clientSecret: 'secret',
      webhook: { secrets: [WEBHOOK_SECRET] },
    },
    async addClient(name, service, scopes) {
      const attributes = { 'consul-services': service };
      const { id } = keycloak.add(name, { attributes, defaultClientScopes: [...scopes] });
      tell('CREATE', `clients/${id}`, { clientId: name });
      return name;
    },
    async setScopes(clientId, scopes) {
      const client = find(clientId);
      const before = new Set(Object(client.defaultClientScopes));
      client.defaultClientScopes = [...scopes];
      const added = scopes.every((scope) => !before.has(scope));
      const path = `clients/${client.id}/default-client-scopes/${randomUUID()}`;
      tell(added && scopes.length > before.size ? 'CREATE' : 'DELETE', path);
    },
    async setEnabled(clientId, enabled) {
      const client = find(clientId);
      client.enabled = enabled;
      tell('UPDATE', `clients/${client.id}`, { enabled });
    },
    async deleteClient(clientId) {
      const { id } = find(clientId);
      keycloak.remove(clientId);
      tell('DELETE', `clients/${id}`, { id, clientId });
    },
    takeDeliveries() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    forge: ({ headers, body }) => ({
      headers: { ...headers, 'x-keycloak-signature': 'f'.repeat(64) },
      body,
    }),
    stop: () => keycloak.stop(),
  };
}

function sign(body: string): string {
  return createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex');
}
