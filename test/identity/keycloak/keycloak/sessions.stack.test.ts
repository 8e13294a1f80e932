import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import { createKeycloak } from '../../../../src/identity/keycloak/keycloak.js';
import { Secret } from '../../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../../src/observe.js';
import { connectKeycloak, type KeycloakOfRun } from '../../../stack/connect-keycloak.js';

const REALM = 'sessions';
const signal = new AbortController().signal;
const opened: ReturnType<typeof createKeycloak>[] = [];
const counted: string[] = [];
let server: KeycloakOfRun;

beforeAll(async () => {
  server = await connectKeycloak();
  await server.admin.createRealm(REALM, { accessTokenLifespan: 240 });
});
afterAll(async () => {
  for (const { directory } of opened) await directory.close();
});

function open(reader: { readonly clientId: string; readonly clientSecret: string }) {
  const keycloak = createKeycloak({
    provider: 'main',
    issuer: `${server.address}/realms/${REALM}`,
    clientId: reader.clientId,
    clientSecret: new Secret(reader.clientSecret),
    serviceAccountRoles: false,
    webhookSecrets: [],
    clock: systemClock,
    logger: silentLogger,
    metrics: { ...noMetrics, count: (_, labels) => void counted.push(labels?.result ?? '') },
  });
  opened.push(keycloak);
  return keycloak;
}

const request = (method: string, path: string, body?: unknown) =>
  server.admin.request(method, `/${REALM}${path}`, body);
const idOf = (list: unknown) => String(Object(Array.isArray(list) ? list[0] : undefined).id);

describe('a real Keycloak', () => {
  it('reports whose sessions an administrator ended: a person’s, everybody’s, or an unknown person’s', async () => {
    const { poll } = open(await server.admin.createReader(REALM));
    await server.admin.createClient(REALM, 'console', {
      publicClient: true,
      directAccessGrantsEnabled: true,
    });
    await request('POST', '/users', {
      username: 'ann',
      enabled: true,
      email: 'ann@example.com',
      firstName: 'Ann',
      lastName: 'Example',
      credentials: [{ type: 'password', value: 'secret', temporary: false }],
    });
    const ann = idOf(await request('GET', '/users?exact=true&username=ann'));
    let { cursor } = await poll.poll(undefined, signal);
    const signIn = async () => {
      const form = { grant_type: 'password', client_id: 'console', username: 'ann', password: 'secret' };
      const url = `${server.address}/realms/${REALM}/protocol/openid-connect/token`;
      const { status } = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
      expect(status).toBe(200);
    };
    const ordered = async () => {
      const result = await poll.poll(cursor, signal);
      cursor = result.cursor;
      expect(result).toMatchObject({ gap: false, rejected: [] });
      expect(result.events).toHaveLength(1);
      return result.events.flatMap(({ orders }) => orders);
    };

    await signIn();
    await request('DELETE', `/sessions/${idOf(await request('GET', `/users/${ann}/sessions`))}`);
    const before = counted.filter((result) => result === 'unresolved').length;
    expect(await ordered()).toEqual([]);
    expect(counted.filter((result) => result === 'unresolved').length - before).toBe(1);

    await signIn();
    await request('POST', `/users/${ann}/logout`);
    expect(await ordered()).toMatchObject([{ kind: 'session-revoked', subject: ann }]);

    await signIn();
    for (const path of ['/logout-all', '/push-revocation']) {
      await request('POST', path);
      const [order, ...more] = await ordered();
      expect(more).toEqual([]);
      expect(order).toMatchObject({ kind: 'session-revoked', provider: 'main' });
      expect(order).not.toHaveProperty('subject');
      expect(order).not.toHaveProperty('clientId');
    }

    const notBefore = Math.floor(Date.now() / 1000) - 60;
    await request('PUT', '', { notBefore });
    expect(await ordered()).toMatchObject([
      { kind: 'session-revoked', at: new Date(notBefore * 1000).toISOString() },
    ]);
  });

  it('leaves the lifespan of the realm out of its answer without view-realm', async () => {
    const { admin } = server;
    const lifetimeOf = async ({ directory }: ReturnType<typeof createKeycloak>) => {
      const { clients } = await directory.readAll(signal);
      const client = clients.find(({ clientId }) => clientId === 'plain');
      return client?.isLifetimeUnread === true ? 'unread' : client?.accessTokenLifetimeSeconds;
    };
    await admin.createClient(REALM, 'plain');
    await admin.createClient(REALM, 'less', { secret: 'less-secret' });
    const roles = ['view-clients', 'query-clients', 'view-realm'];
    await admin.grantClientRoles(REALM, 'less', 'realm-management', roles);
    const login = { clientId: 'less', clientSecret: 'less-secret' };
    const keycloak = open(login);
    expect(await lifetimeOf(keycloak)).toBe(240);

    const management = await admin.clientUuid(REALM, 'realm-management');
    const less = await admin.clientUuid(REALM, 'less');
    const account = String(Object(await request('GET', `/clients/${less}/service-account-user`)).id);
    const role = await request('GET', `/clients/${management}/roles/view-realm`);
    await request('DELETE', `/users/${account}/role-mappings/clients/${management}`, [role]);
    expect(await lifetimeOf(open(login))).toBe('unread');
    expect(await lifetimeOf(keycloak)).toBe(240);
  });
});
