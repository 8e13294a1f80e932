import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createKeycloak } from '../../../src/identity/keycloak/keycloak.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { connectKeycloak, type KeycloakOfRun } from '../../stack/connect-keycloak.js';
import type { ClientRepresentation, KeycloakAdmin } from '../../stack/keycloak-admin.js';

const REALM = 'effective';
const SECRET = 'secret-0123456789';
const signal = new AbortController().signal;

let server: KeycloakOfRun;
let keycloak: ReturnType<typeof createKeycloak>;
beforeAll(async () => {
  server = await connectKeycloak();
  await server.admin.createRealm(REALM);
  const reader = await server.admin.createReader(REALM);
  keycloak = open(reader, true);
});
afterAll(() => keycloak?.directory.close());

function open(
  { clientId, clientSecret }: Awaited<ReturnType<KeycloakAdmin['createReader']>>,
  serviceAccountRoles: boolean,
) {
  return createKeycloak({
    provider: 'main',
    issuer: `${server.address}/realms/${REALM}`,
    clientId,
    clientSecret: new Secret(clientSecret),
    serviceAccountRoles,
    apis: ['orders-api'],
    webhookSecrets: [],
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
}
const at = (path: string) => `/${REALM}/${path}`;
const get = (path: string) => server.admin.request('GET', at(path));
const post = (path: string, body: unknown) => server.admin.request('POST', at(path), body);
const add = (clientId: string, fields: ClientRepresentation = {}) =>
  server.admin.createClient(REALM, clientId, {
    secret: SECRET,
    directAccessGrantsEnabled: false,
    ...fields,
  });
const field = (value: unknown, name: string) => Reflect.get(Object(value), name);

/** What Keycloak gives to a client that logs in as itself and asks for these scopes: undefined where it refuses. */
async function tokenOf(clientId: string, scope = '') {
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: SECRET };
  const answer = await fetch(`${server.address}/realms/${REALM}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams(scope === '' ? form : { ...form, scope }),
  });
  const body: unknown = await answer.json();
  if (!answer.ok) return undefined;
  const claims: unknown = JSON.parse(
    Buffer.from(String(field(body, 'access_token')).split('.')[1] ?? '', 'base64url').toString(),
  );
  return {
    scopes: String(field(body, 'scope')).split(' '),
    // `expires_in` is a second less where one begins before the answer.
    lifetime: Number(field(claims, 'exp')) - Number(field(claims, 'iat')),
    claims,
  };
}

/** What scopemesh says of it, alike by a complete read and by one of the client. */
async function word(clientId: string) {
  const { clients } = await keycloak.directory.readAll(signal);
  const found = clients.find((client) => client.clientId === clientId);
  expect(await keycloak.directory.read('clientId', clientId, signal)).toEqual(found);
  return {
    logsIn: found?.grantTypes.includes('client_credentials'),
    grants: found?.grants.map(({ api, name }) => (api === undefined ? name : `${api}#${name}`)) ?? [],
    lifetime: found?.accessTokenLifetimeSeconds,
  };
}

/** The keys that what was done leads to, by the log. */
async function triggersOf(act: () => Promise<unknown>) {
  const { cursor } = await keycloak.poll.poll(undefined, signal);
  await act();
  const { events } = await keycloak.poll.poll(cursor, signal);
  return events.flatMap(({ triggers }) => triggers.map(({ key }) => formatKey(key)));
}

async function accountOf(clientId: string): Promise<string | undefined> {
  const users = await get(`users?exact=true&username=service-account-${clientId}`);
  return Array.isArray(users) && users.length > 0 ? String(field(users[0], 'id')) : undefined;
}

describe('what scopemesh reads of a client, compared with the tokens of a real Keycloak', () => {
  it('is closed while its service account is disabled, and after it is deleted, which no read undoes', async () => {
    const client = await add('worker');
    expect(await word('worker')).toMatchObject({ logsIn: true });
    const account = await accountOf('worker');
    const enable = (enabled: boolean) => server.admin.request('PUT', at(`users/${account}`), { enabled });
    expect(await triggersOf(() => enable(false))).toEqual(['client/main/worker']);
    expect(await tokenOf('worker')).toBeUndefined();
    expect(await word('worker')).toMatchObject({ logsIn: false, grants: [] });
    await enable(true);
    expect(await tokenOf('worker')).toBeDefined();
    expect(await word('worker')).toMatchObject({ logsIn: true });

    expect(await triggersOf(() => server.admin.request('DELETE', at(`users/${account}`)))).toEqual([
      'client/main/worker',
    ]);
    expect(await word('worker')).toMatchObject({ logsIn: false, grants: [] });
    expect(await keycloak.directory.read('serviceAccount', String(account), signal)).toMatchObject({
      clientId: 'worker',
      grants: [],
    });
    expect(await accountOf('worker')).toBeUndefined();
    expect(await tokenOf('worker')).toBeUndefined();

    // Its name is free for anybody now.
    await post('users', { username: 'service-account-worker', enabled: true });
    expect(await tokenOf('worker')).toBeUndefined();
    expect(await word('worker')).toMatchObject({ logsIn: false, grants: [] });
    await server.admin.request('DELETE', at(`users/${await accountOf('worker')}`));
    // This creates it again.
    await get(`clients/${client}/service-account-user`);
    expect(await tokenOf('worker')).toBeDefined();
    expect(await word('worker')).toMatchObject({ logsIn: true });
  });

  it('opens nothing with every flow switched off', async () => {
    await add('off', { serviceAccountsEnabled: false });
    expect(await tokenOf('off')).toBeUndefined();
    expect(await word('off')).toMatchObject({ logsIn: false, grants: [] });
  });

  it('has a client scope that requires a role only if its service account has it, also nested', async () => {
    await add('caller');
    const api = await add('stock-api');
    await post(`clients/${api}/roles`, { name: 'keeper' });
    for (const role of ['outer', 'inner']) await server.admin.createRealmRole(REALM, role);
    const roles = [await get('roles/inner'), await get(`clients/${api}/roles/keeper`)];
    await post('roles/outer/composites', roles);
    const scope = await server.admin.createClientScope(REALM, 'stock:write');
    await server.admin.addScope(REALM, 'caller', 'stock:write', 'optional');
    const agree = async (has: boolean) => {
      expect((await tokenOf('caller', 'stock:write'))?.scopes.includes('stock:write')).toBe(has);
      expect((await word('caller')).grants.includes('stock:write')).toBe(has);
    };
    const mapping = at(`client-scopes/${scope}/scope-mappings/realm`);
    const outer = [await get('roles/outer')];
    await agree(true);
    expect(await triggersOf(() => server.admin.request('POST', mapping, outer))).toEqual(['provider/main']);
    await agree(false);
    await server.admin.grantRealmRole(REALM, 'caller', 'inner');
    await agree(true);
    await server.admin.revokeRealmRole(REALM, 'caller', 'inner');
    await agree(false);
    await server.admin.grantClientRoles(REALM, 'caller', 'stock-api', ['keeper']);
    await agree(true);
    expect(await triggersOf(() => server.admin.request('DELETE', mapping, outer))).toEqual(['provider/main']);
    await agree(true);
  });

  it('is read without the role to see users too, and then has no such scope', async () => {
    await add('weak');
    await server.admin.grantClientRoles(REALM, 'weak', 'realm-management', ['view-clients', 'view-realm']);
    const scope = await server.admin.createClientScope(REALM, 'left:out');
    await server.admin.createRealmRole(REALM, 'chosen');
    await post(`client-scopes/${scope}/scope-mappings/realm`, [await get('roles/chosen')]);
    await add('chosen');
    await server.admin.addScope(REALM, 'chosen', 'left:out');
    await server.admin.grantRealmRole(REALM, 'chosen', 'chosen');
    expect((await word('chosen')).grants).toContain('left:out');
    const { directory } = open({ clientId: 'weak', clientSecret: SECRET }, false);
    const one = await directory.read('clientId', 'chosen', signal);
    expect(one?.grantTypes).toEqual(['client_credentials']);
    expect(one?.grants).toContainEqual({ name: 'profile' });
    expect(one?.grants).not.toContainEqual({ name: 'left:out' });
    const { clients } = await directory.readAll(signal);
    expect(clients.find(({ clientId }) => clientId === 'chosen')).toEqual(one);
    const account = await accountOf('chosen');
    expect(await directory.read('serviceAccount', String(account), signal)).toBeUndefined();
    await directory.close();
  });

  it('has tokens that expire no later than the session', async () => {
    await add('lasting');
    const agree = async (attributes: Record<string, string>, expected: number) => {
      await server.admin.updateClient(REALM, 'lasting', { attributes });
      expect((await tokenOf('lasting'))?.lifetime).toBe(expected);
      expect((await word('lasting')).lifetime).toBe(expected);
    };
    await agree({ 'access.token.lifespan': '7200' }, 7200);
    await agree({ 'client.session.max.lifespan': '120' }, 120);
    await agree({ 'access.token.lifespan': '-1', 'client.session.max.lifespan': '' }, 36_000);
    await server.admin.request('PUT', `/${REALM}`, { clientSessionMaxLifespan: 400 });
    await agree({ 'access.token.lifespan': '7200' }, 400);
    await server.admin.request('PUT', `/${REALM}`, {
      clientSessionMaxLifespan: 0,
      ssoSessionMaxLifespan: 200,
    });
    await agree({ 'access.token.lifespan': '' }, 200);
  });

  it('has a client’s nested role that its own scope mappings allow', async () => {
    await add('narrow', { fullScopeAllowed: false });
    const api = await add('orders-api');
    await post(`clients/${api}/roles`, { name: 'reader' });
    await server.admin.createRealmRole(REALM, 'bundle');
    await post('roles/bundle/composites', [await get(`clients/${api}/roles/reader`)]);
    await server.admin.grantRealmRole(REALM, 'narrow', 'bundle');
    const agree = async (has: boolean) => {
      const access = field((await tokenOf('narrow'))?.claims, 'resource_access');
      expect(field(field(access, 'orders-api'), 'roles') ?? []).toEqual(has ? ['reader'] : []);
      expect((await word('narrow')).grants.includes('orders-api#reader')).toBe(has);
    };
    await agree(false);
    const narrow = await server.admin.clientUuid(REALM, 'narrow');
    await post(`clients/${narrow}/scope-mappings/realm`, [await get('roles/bundle')]);
    await agree(true);
  });
});
