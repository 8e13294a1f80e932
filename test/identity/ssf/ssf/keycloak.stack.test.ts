import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import type { IdentityEvent, RawRequest } from '../../../../src/identity/source.js';
import { createSsf, type Ssf } from '../../../../src/identity/ssf/ssf.js';
import { Secret } from '../../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../../src/observe.js';
import { type KeycloakHandle, startKeycloak } from '../../../stack/keycloak.js';
import { until } from '../../../support/until.js';

const REALM = 'signals';
const SECRET = 'signals-secret-0123456789';
const AUDIENCE = 'https://scopemesh.example.com';
const never = new AbortController().signal;

let server: KeycloakHandle;
let issuer: string;
let jane: string;
const open = new Set<Ssf>();

beforeAll(async () => {
  server = await startKeycloak({
    args: [
      '--features=ssf',
      '--spi-ssf-transmitter--default--allow-insecure-push-targets=true',
      '--spi-ssf-transmitter--default--outbox-drainer-interval=1s',
    ],
  });
  issuer = `${server.address}/realms/${REALM}`;
  const { admin } = server;
  await admin.createRealm(REALM, { attributes: { 'ssf.transmitterEnabled': 'true' } });
  await admin.createClient(REALM, 'web-app', { secret: SECRET, directAccessGrantsEnabled: true });
  const person = { username: 'jane', email: 'jane@example.com', firstName: 'Jane', lastName: 'Doe' };
  const credentials = [{ type: 'password', value: 'first', temporary: false }];
  await admin.request('POST', `/${REALM}/users`, {
    ...person,
    enabled: true,
    emailVerified: true,
    credentials,
  });
  const found = await admin.request('GET', `/${REALM}/users?username=jane`);
  jane = String(Object(Array.isArray(found) ? found[0] : undefined).id);
}, 300_000);
afterAll(async () => {
  for (const ssf of open) await ssf.close();
  await server?.stop();
});

/** A receiver of this realm's signals, as docs/providers/ssf.md has it set up. */
async function receiver(
  clientId: string,
  delivery: { readonly delivery: 'poll' } | { readonly delivery: 'push'; readonly endpoint: string },
): Promise<Ssf> {
  await server.admin.createClient(REALM, clientId, {
    secret: SECRET,
    attributes: {
      'ssf.enabled': 'true',
      'ssf.defaultSubjects': 'ALL',
      'ssf.userSubjectFormat': 'iss_sub',
      'ssf.streamAudience': AUDIENCE,
      'ssf.autoVerifyStream': 'false',
      ...('endpoint' in delivery ? { 'ssf.validPushUrls': delivery.endpoint } : {}),
    },
  });
  for (const scope of ['ssf.read', 'ssf.manage'])
    await server.admin.addScope(REALM, clientId, scope, 'optional');
  const ssf = createSsf({
    provider: 'main',
    issuer,
    insecure: false,
    transmitter: issuer,
    audiences: [AUDIENCE],
    pushTokens: delivery.delivery === 'push' ? [new Secret('push-token-0123456789')] : [],
    credentials: {
      clientId,
      clientSecret: new Secret(SECRET),
      tokenIssuer: issuer,
      scope: 'ssf.read ssf.manage',
    },
    verifyMs: 900_000,
    pollMs: 1_000,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    ...delivery,
  });
  open.add(ssf);
  return ssf;
}

async function logIn(password: string): Promise<void> {
  const form = { grant_type: 'password', client_id: 'web-app', client_secret: SECRET, scope: 'openid' };
  const answer = await fetch(`${issuer}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ ...form, username: 'jane', password }),
  });
  if (!answer.ok) throw new Error(`Jane cannot log in: ${await answer.text()}`);
}

/** What happens to Jane, and the event that must follow. */
async function endEverything(received: (what: string) => Promise<IdentityEvent>): Promise<void> {
  const { admin } = server;
  for (const [what, act] of [
    [
      'a session that an administrator ends',
      () => admin.request('POST', `/${REALM}/users/${jane}/logout`, {}),
    ],
    [
      'a password that an administrator sets',
      () =>
        admin.request('PUT', `/${REALM}/users/${jane}/reset-password`, {
          type: 'password',
          value: 'first',
          temporary: false,
        }),
    ],
  ] as const) {
    await logIn('first');
    const before = Date.now();
    await act();
    const event = await received(what);
    expect(event.orders, what).toMatchObject([{ kind: 'session-revoked', provider: 'main', subject: jane }]);
    // What was issued before is void, to the millisecond.
    expect(Date.parse(event.orders[0]?.at ?? '')).toBeGreaterThanOrEqual(before);
  }
}

describe('the transmitter of a real Keycloak', () => {
  it('creates a polled stream, verifies it, and reports sessions and credentials', async () => {
    const ssf = await receiver('polling', { delivery: 'poll' });
    const seen = new Set<string>();
    let cursor: string | undefined;
    const received = (what: string) =>
      until(
        what,
        async () => {
          const result = await ssf.poll?.poll(cursor, never);
          cursor = result?.cursor;
          expect(JSON.parse(cursor ?? '{}').setErrs).toEqual({});
          for (const { id } of result?.events ?? []) seen.add(id);
          return result?.events[0];
        },
        60_000,
      );
    const asked = await ssf.subscription?.renew(undefined, never, async (id) => seen.has(id));
    expect(await received('the verification')).toMatchObject({ isProof: true });
    const next = await ssf.subscription?.renew(asked?.stored, never, async (id) => seen.has(id));
    expect(next?.gap).toBe(false);
    await endEverything(received);
  }, 180_000);

  it('pushes to a receiver that answers as specified', async () => {
    const events: IdentityEvent[] = [];
    const refused: unknown[] = [];
    let ssf: Ssf | undefined;
    const intake = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
        );
        const raw: RawRequest = {
          method: 'POST',
          headers,
          query: {},
          body: new Uint8Array(Buffer.concat(chunks)),
          receivedAt: new Date().toISOString(),
        };
        try {
          const reception = await ssf?.source.receive(raw);
          if (reception?.kind === 'events') events.push(...reception.events);
          response.writeHead(202).end();
        } catch (error) {
          refused.push(error);
          response
            .writeHead(400, { 'content-type': 'application/json' })
            .end(JSON.stringify(Object(error).answer));
        }
      });
    });
    await new Promise<void>((resolve) => intake.listen(0, '127.0.0.1', resolve));
    const bound = intake.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    try {
      ssf = await receiver('pushed', { delivery: 'push', endpoint: `http://127.0.0.1:${port}/events/main` });
      await ssf.subscription?.renew(undefined, never, async () => false);
      const received = (what: string) =>
        until(what, () => (refused.length > 0 ? Promise.reject(refused[0]) : events.shift()), 60_000);
      expect(await received('the verification')).toMatchObject({ isProof: true });
      await endEverything(received);
    } finally {
      await new Promise((resolve) => {
        intake.close(resolve);
        intake.closeAllConnections();
      });
    }
  }, 180_000);
});
