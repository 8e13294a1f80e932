import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Delivery, ProviderWorld } from '../../conformance/provider-flow.js';
import type { KeycloakOfRun } from '../../stack/connect-keycloak.js';
import { until } from '../until.js';

const WEBHOOK_SECRET = 'webhook-secret-0123456789';
const SCOPES = ['orders:read', 'orders:write'];

/**
 * A realm of its own on a running Keycloak, whose webhook extension sends to a small receiver here: what came is handed
 * over as `takeDeliveries`, to the byte. A change resolves once its events have come, so that none is missed; without
 * `inStep` it does not wait for them, which is faster where it does not matter when they come.
 */
export async function startKeycloakWorld(server: KeycloakOfRun, inStep = true): Promise<ProviderWorld> {
  const { admin } = server;
  const realm = `world-${randomUUID().slice(0, 8)}`;
  const held = new Map<string, Set<string>>();
  const receiver = await startReceiver();
  await admin.createRealm(realm);
  for (const scope of SCOPES) await admin.createClientScope(realm, scope);
  const reader = await admin.createReader(realm);
  await admin.registerWebhook(realm, { url: receiver.address, secret: WEBHOOK_SECRET });

  /** Each change of ours is one event about the client; the token of the reader and the like are others. */
  const changing = async (internalId: string, operation: string, change: () => Promise<unknown>) => {
    const before = receiver.count(internalId, operation);
    await change();
    if (!inStep) return;
    await until('the event of a change', async () =>
      receiver.count(internalId, operation) > before ? true : undefined,
    );
  };
  const addScope = async (clientId: string, scope: string) => {
    const id = await admin.clientUuid(realm, clientId);
    await changing(id, 'CREATE', () => admin.addScope(realm, clientId, scope));
  };
  const setScopes = async (clientId: string, scopes: readonly string[]) => {
    const id = await admin.clientUuid(realm, clientId);
    const now = held.get(clientId) ?? new Set();
    for (const scope of SCOPES) {
      if (now.has(scope) && !scopes.includes(scope))
        await changing(id, 'DELETE', () => admin.removeScope(realm, clientId, scope));
      if (!now.has(scope) && scopes.includes(scope)) await addScope(clientId, scope);
    }
    held.set(clientId, new Set(scopes));
  };
  return {
    settings: {
      kind: 'keycloak',
      issuer: `${server.address}/realms/${realm}`,
      ...reader,
      webhook: { secrets: [WEBHOOK_SECRET] },
    },
    async addClient(name, service, scopes) {
      await admin.createClient(realm, name, { attributes: { 'consul-services': service } });
      await setScopes(name, scopes);
      return name;
    },
    setScopes,
    async setEnabled(clientId, enabled) {
      const id = await admin.clientUuid(realm, clientId);
      await changing(id, 'UPDATE', () => admin.updateClient(realm, clientId, { enabled }));
    },
    async deleteClient(clientId) {
      const id = await admin.clientUuid(realm, clientId);
      await changing(id, 'DELETE', () => admin.deleteClient(realm, clientId));
    },
    takeDeliveries: () => receiver.take(),
    forge: ({ headers, body }) => ({
      headers: { ...headers, 'x-keycloak-signature': 'f'.repeat(64) },
      body,
    }),
    async stop() {
      await admin.deleteRealm(realm);
      await receiver.stop();
    },
  };
}

interface Receiver {
  readonly address: string;
  take(): readonly Delivery[];
  /** Events about this client so far. */
  count(internalId: string, operation: string): number;
  stop(): Promise<void>;
}

async function startReceiver(): Promise<Receiver> {
  let deliveries: Delivery[] = [];
  const counts = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    response.writeHead(204).end();
    const { operationType, resourcePath } = Object(JSON.parse(body));
    const [, id] = /^clients\/([^/]+)/.exec(String(resourcePath)) ?? [];
    // Logins and the like change no client.
    if (id === undefined) return;
    const headers = {
      'content-type': 'application/json',
      'x-keycloak-signature': String(request.headers['x-keycloak-signature']),
    };
    deliveries.push({ headers, body });
    const key = `${id} ${operationType}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    take() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    count: (internalId, operation) => counts.get(`${internalId} ${operation}`) ?? 0,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
