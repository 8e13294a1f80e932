import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../stack/process.js';
import { type ConsulToken, type LoginScene, methodOf, startLoginScene } from './login-scene.js';

const PEOPLE = methodOf('_people');
const ID = z.object({ id: z.string() });
const OBTAINED = z.object({ access_token: z.string() });

let scene: LoginScene;
let oncall: string;

beforeAll(async () => {
  scene = await startLoginScene(
    {
      scopes: { 'orders:call': { to: 'orders' } },
      groups: {
        '/oncall': { acl: 'key_prefix "config/" { policy = "read" }' },
        '/keys': { acl: 'key_prefix "orders/" { policy = "write" }' },
        'organization/acme': { acl: 'key_prefix "acme/" { policy = "read" }' },
      },
      actors: { human: { maxTokenTtl: '2m' } },
    },
    { organizations: true },
  );
  const { consul, keycloak, realm } = scene;
  for (const key of ['config/a', 'orders/a', 'acme/a']) await consul.request('PUT', `/v1/kv/${key}`, 'x');
  for (const name of ['oncall', 'keys', 'others'])
    await keycloak.admin.request('POST', `/${realm}/groups`, { name });
  oncall = ID.parse(await keycloak.admin.request('GET', `/${realm}/group-by-path/oncall`)).id;
  await scene.createClient('console', []);
  await keycloak.admin.updateClient(realm, 'console', {
    publicClient: true,
    directAccessGrantsEnabled: true,
  });
  const client = await keycloak.admin.clientUuid(realm, 'console');
  await keycloak.admin.request('POST', `/${realm}/clients/${client}/protocol-mappers/models`, {
    name: 'groups',
    protocol: 'openid-connect',
    protocolMapper: 'oidc-group-membership-mapper',
    config: { 'claim.name': 'groups', 'full.path': 'true', 'access.token.claim': 'true' },
  });
});

afterAll(() => scene?.stop());

/** Resolves with the user's id. */
async function addPerson(username: string, ...groups: readonly string[]): Promise<string> {
  const { admin } = scene.keycloak;
  await admin.request('POST', `/${scene.realm}/users`, {
    username,
    enabled: true,
    email: `${username}@example.com`,
    firstName: username,
    lastName: username,
    groups,
    credentials: [{ type: 'password', value: 'secret', temporary: false }],
  });
  const found = await admin.request('GET', `/${scene.realm}/users?exact=true&username=${username}`);
  return z.array(ID).parse(found)[0]?.id ?? '';
}

async function login(username: string, scope = 'openid'): Promise<ConsulToken | number> {
  const address = `${scene.keycloak.address}/realms/${scene.realm}/protocol/openid-connect/token`;
  const form = { grant_type: 'password', client_id: 'console', username, password: 'secret', scope };
  const answer = await fetch(address, {
    method: 'POST',
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${username} has no access token: ${answer.status} ${await answer.text()}`);
  return scene.loginWith(PEOPLE, OBTAINED.parse(await answer.json()).access_token);
}

function loggedIn(username: string): Promise<ConsulToken> {
  return until(`${username} can log in`, async () => {
    const answer = await login(username);
    return typeof answer === 'number' ? undefined : answer;
  });
}

const read = (secret: string, key: string) => scene.status(secret, 'GET', `/v1/kv/${key}`);

describe('a person who logs in to Consul', () => {
  it('has the rules of their groups, and nobody outside a mapped group gets in', async () => {
    await addPerson('ann', '/oncall', '/others');
    await addPerson('carl', '/others');
    const token = await loggedIn('ann');
    expect(await read(token.SecretID, 'config/a')).toBe(200);
    expect(await read(token.SecretID, 'orders/a')).toBe(403);
    expect(Date.parse(token.ExpirationTime) - Date.parse(token.CreateTime)).toBe(120_000);
    await scene.daemon.idle();
    expect(await login('carl')).toBe(403);
  });

  it('loses the tokens of a group within two seconds of leaving it, and keeps the rules of another group', async () => {
    const id = await addPerson('bea', '/oncall', '/keys');
    const other = await loggedIn('ann');
    const token = await until('both groups count', async () => {
      const answer = await login('bea');
      return typeof answer !== 'number' &&
        (await read(answer.SecretID, 'config/a')) === 200 &&
        (await read(answer.SecretID, 'orders/a')) === 200
        ? answer
        : undefined;
    });
    await scene.keycloak.admin.request('DELETE', `/${scene.realm}/users/${id}/groups/${oncall}`);
    const left = performance.now();
    await until('the token lost the group', async () => (await read(token.SecretID, 'config/a')) === 403, {
      timeoutMs: 20_000,
      intervalMs: 5,
    });
    expect(performance.now() - left).toBeLessThan(2_000);
    expect(await read(other.SecretID, 'config/a')).toBe(200);
    const again = await loggedIn('bea');
    expect(await read(again.SecretID, 'config/a')).toBe(403);
    expect(await read(again.SecretID, 'orders/a')).toBe(200);
  });

  it('has the rules of an organization that the token names, and loses them with the organization', async () => {
    const { admin } = scene.keycloak;
    const organizations = `/${scene.realm}/organizations`;
    const acme = { name: 'Acme', alias: 'acme', domains: [{ name: 'acme.example' }] };
    await admin.request('POST', organizations, acme);
    const [{ id } = { id: '' }] = z.array(ID).parse(await admin.request('GET', organizations));
    const fred = await addPerson('fred', '/oncall');
    await admin.request('POST', `${organizations}/${id}/members`, fred);
    // Each membership has a rule of its own, and a login between the two has but one.
    const token = await until('the organization and the group count', async () => {
      const answer = await login('fred', 'openid organization:acme');
      return typeof answer !== 'number' &&
        (await read(answer.SecretID, 'acme/a')) === 200 &&
        (await read(answer.SecretID, 'config/a')) === 200
        ? answer
        : undefined;
    });
    const without = await loggedIn('fred');
    expect(await read(without.SecretID, 'acme/a')).toBe(403);
    await admin.request('PUT', `${organizations}/${id}`, { ...acme, enabled: false });
    await until(
      'the token lost the organization',
      async () => (await read(token.SecretID, 'acme/a')) === 403,
      {
        timeoutMs: 60_000,
      },
    );
    expect(await read((await loggedIn('fred')).SecretID, 'config/a')).toBe(200);
  });

  it('loses access within two seconds of being disabled', async () => {
    const id = await addPerson('dora', '/oncall');
    const { SecretID } = await loggedIn('dora');
    await scene.keycloak.admin.request('PUT', `/${scene.realm}/users/${id}`, { enabled: false });
    const at = performance.now();
    await until('the token is refused', async () => (await read(SecretID, 'config/a')) === 403, {
      timeoutMs: 20_000,
      intervalMs: 5,
    });
    expect(performance.now() - at).toBeLessThan(2_000);
  });

  it('must log in again within two seconds after an administrator ends their sessions, and nobody else must', async () => {
    const id = await addPerson('emil', '/oncall');
    const { SecretID } = await loggedIn('emil');
    const other = await loggedIn('ann');
    await scene.keycloak.admin.request('POST', `/${scene.realm}/users/${id}/logout`);
    const at = performance.now();
    await until('the token is refused', async () => (await read(SecretID, 'config/a')) === 403, {
      timeoutMs: 20_000,
      intervalMs: 5,
    });
    expect(performance.now() - at).toBeLessThan(2_000);
    expect(await read(other.SecretID, 'config/a')).toBe(200);
    expect(await read((await loggedIn('emil')).SecretID, 'config/a')).toBe(200);
  });
});
