import { createHmac, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { freePort } from '../stack/ports.js';
import type { Stack } from '../stack/stack.js';
import { bodyOf, listen } from './passing.js';

/** A delivery of Keycloak's webhook extension, to be sent again as it was. */
export interface Delivery {
  readonly body: string;
  readonly signature: string;
}

export interface Listener {
  readonly deliveries: readonly Delivery[];
  stop(): Promise<void>;
}

/** A further receiver of the realm's webhooks, which listens in on what the daemon gets. */
export async function listenIn(stack: Stack): Promise<Listener> {
  const deliveries: Delivery[] = [];
  const port = await freePort();
  const server = createServer((incoming, answer) => {
    bodyOf(incoming).then(
      (body) => {
        deliveries.push({
          body: body.toString('utf8'),
          signature: String(incoming.headers['x-keycloak-signature']),
        });
        answer.writeHead(204).end();
      },
      () => answer.destroy(),
    );
  });
  await listen(server, port);
  const { admin } = stack.keycloak;
  const id = await admin.registerWebhook(stack.realm, {
    url: `http://127.0.0.1:${port}/`,
    secret: stack.webhookSecret,
  });
  return {
    deliveries,
    async stop() {
      await admin.deleteWebhook(stack.realm, id).catch(() => {});
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Takes the daemon's webhook away from the realm; resolves with what puts it back. */
export async function suppressWebhook(stack: Stack, listenerOf: string): Promise<() => Promise<void>> {
  const { admin } = stack.keycloak;
  const url = `${listenerOf}/events/main`;
  const all = await admin.request('GET', `/realms/${stack.realm}/webhooks`);
  for (const each of Array.isArray(all) ? all : []) {
    if (Object(each).url === url) await admin.deleteWebhook(stack.realm, String(Object(each).id));
  }
  return async () => {
    await admin.registerWebhook(stack.realm, { url, secret: stack.webhookSecret });
  };
}

/** The event of a change to one client, as Keycloak would send it, with an id of its own. */
export function changeOfClient(realm: string, internalId: string): string {
  return JSON.stringify({
    id: randomUUID(),
    time: Date.now(),
    realmName: realm,
    operationType: 'DELETE',
    resourceType: 'CLIENT_SCOPE_CLIENT_MAPPING',
    resourcePath: `clients/${internalId}/default-client-scopes/${randomUUID()}`,
    type: 'admin.CLIENT_SCOPE_CLIENT_MAPPING-DELETE',
    authDetails: { username: 'admin', ipAddress: '127.0.0.1' },
    details: {},
  });
}

export function sign(body: string, secret: string): Delivery {
  return { body, signature: createHmac('sha256', secret).update(body).digest('hex') };
}

/** Resolves with the status and the answer. */
export async function deliver(
  address: string,
  { body, signature }: Delivery,
  provider = 'main',
): Promise<{ readonly status: number; readonly answer: string }> {
  const response = await fetch(`${address}/events/${provider}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keycloak-signature': signature },
    body,
    signal: AbortSignal.timeout(15_000),
  });
  return { status: response.status, answer: await response.text() };
}
