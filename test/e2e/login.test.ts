import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../stack/process.js';
import { type ConsulToken, type LoginScene, methodOf, startLoginScene } from './login-scene.js';

const LOGIN_ANSWER = z.object({
  login: z.object({ authMethod: z.string(), audiences: z.array(z.string()), maxTokenTtlSeconds: z.number() }),
});

let scene: LoginScene;
/** The seconds that the token of `short-app` lived; its minute passes while the other tests run. */
let shortLife: Promise<{ readonly token: ConsulToken; readonly livedSeconds: number }>;

beforeAll(async () => {
  scene = await startLoginScene({
    login: 'on',
    scopes: {
      'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
      'orders:keys': { acl: 'key_prefix "orders/" { policy = "write" }' },
      'vault:admin': { acl: 'key_prefix "vault/" { policy = "write" }' },
    },
    actors: {
      classify: [{ attribute: 'actor', equals: 'agent', kind: 'agent' }],
      workload: { maxTokenTtl: '1h' },
      agent: { maxTokenTtl: '2m', never: ['*:admin'] },
    },
  });
  const { consul, keycloak, realm } = scene;
  for (const scope of ['config:read', 'orders:keys', 'vault:admin'])
    await keycloak.admin.createClientScope(realm, scope);
  for (const key of ['config/a', 'orders/a', 'vault/a']) await consul.request('PUT', `/v1/kv/${key}`, 'x');
  shortLife = liveShortly();
  shortLife.catch(() => {});
});

afterAll(() => scene?.stop());

/** Resolves once the daemon has made it possible, with the token. */
function loggedIn(clientId: string): Promise<ConsulToken> {
  return until(`${clientId} can log in`, async () => {
    const answer = await scene.login(clientId);
    return typeof answer === 'number' ? undefined : answer;
  });
}

const lifeOf = ({ CreateTime, ExpirationTime }: ConsulToken) =>
  (Date.parse(ExpirationTime) - Date.parse(CreateTime)) / 1000;

const read = (secret: string, key: string) => scene.status(secret, 'GET', `/v1/kv/${key}`);

/** Resolves when the token of a client whose access tokens live for a minute has died. */
async function liveShortly() {
  await scene.createClient('short-app', ['config:read'], { 'access.token.lifespan': '60' });
  const token = await loggedIn('short-app');
  expect(await read(token.SecretID, 'config/a')).toBe(200);
  await until('the token has died', async () => (await read(token.SecretID, 'config/a')) === 403, {
    timeoutMs: 75_000,
    intervalMs: 200,
  });
  return { token, livedSeconds: (Date.now() - Date.parse(token.CreateTime)) / 1000 };
}

/** Milliseconds from the return of `doing` until the call is refused. */
async function refusedAfter(doing: () => Promise<unknown>, ask: () => Promise<number>): Promise<number> {
  await doing();
  const began = performance.now();
  await until('the token is refused', async () => (await ask()) === 403, {
    timeoutMs: 20_000,
    intervalMs: 5,
  });
  return performance.now() - began;
}

describe('a client that logs in to Consul with its access token of Keycloak', () => {
  it('may do exactly what its scopes say', async () => {
    await scene.createClient('reader-app', ['config:read']);
    const { SecretID } = await loggedIn('reader-app');
    expect(await read(SecretID, 'config/a')).toBe(200);
    expect(await scene.status(SecretID, 'PUT', '/v1/kv/config/a', 'y')).toBe(403);
    expect(await read(SecretID, 'orders/a')).toBe(403);
    expect(await scene.status(SecretID, 'PUT', '/v1/agent/service/register', { Name: 'reader-app' })).toBe(
      403,
    );
    expect(await scene.status(SecretID, 'GET', '/v1/acl/tokens')).toBe(403);
    // By Consul's own command, as the manual has it.
    expect(await read(await scene.loginByCommand('reader-app'), 'config/a')).toBe(200);
  });

  it('may be the service that claims it, and no other', async () => {
    await scene.createClient('web-app', [], { 'consul-services': 'web' });
    const meta = { 'oauth-client-id': 'web-app' };
    await scene.consul.request('PUT', '/v1/agent/service/register', { Name: 'web', Meta: meta });
    const { SecretID } = await loggedIn('web-app');
    const register = (Name: string) =>
      scene.status(SecretID, 'PUT', '/v1/agent/service/register', { Name, Meta: meta });
    expect(await register('web')).toBe(200);
    expect(await register('orders')).toBe(403);
    expect(await read(SecretID, 'config/a')).toBe(403);
  });

  it('cannot log in by any method without a rule or a claim', async () => {
    await scene.createClient('nobody', []);
    await loggedIn('reader-app');
    await scene.daemon.idle();
    expect(await scene.login('nobody')).toBe(403);
    expect(await scene.login('nobody', { authMethod: methodOf('reader-app') })).toBe(403);
    const methods = await scene.consul.request('GET', '/v1/acl/auth-methods');
    expect(JSON.stringify(methods)).not.toContain('nobody');
  });

  it('learns from the API how to log in', async () => {
    await loggedIn('reader-app');
    const answer = await fetch(`${scene.daemon.address}/api/clients/main/reader-app/login`, {
      headers: { authorization: `Bearer ${await scene.daemon.apiToken()}` },
    });
    const login = LOGIN_ANSWER.parse(await answer.json()).login;
    expect(login).toMatchObject({ authMethod: methodOf('reader-app'), audiences: ['consul'] });
    const method = await scene.consul.request('GET', `/v1/acl/auth-method/${methodOf('reader-app')}`);
    expect(method).toMatchObject({ MaxTokenTTL: `${login.maxTokenTtlSeconds / 60}m0s` });
  });

  it('loses what a scope gave within two seconds of its loss, with the token that it holds', async () => {
    const { admin } = scene.keycloak;
    await scene.createClient('both-app', ['config:read', 'orders:keys']);
    const { SecretID } = await loggedIn('both-app');
    await until('both scopes count', async () => (await read(SecretID, 'orders/a')) === 200);
    expect(await read(SecretID, 'config/a')).toBe(200);
    const one = await refusedAfter(
      () => admin.removeScope(scene.realm, 'both-app', 'config:read'),
      () => read(SecretID, 'config/a'),
    );
    expect(one).toBeLessThan(2_000);
    expect(await read(SecretID, 'orders/a')).toBe(200);
    const all = await refusedAfter(
      () => admin.removeScope(scene.realm, 'both-app', 'orders:keys'),
      () => read(SecretID, 'orders/a'),
    );
    expect(all).toBeLessThan(2_000);
    expect(await scene.login('both-app')).toBe(403);
  });

  it('loses its token within two seconds of being disabled', async () => {
    await scene.createClient('gone-app', ['config:read']);
    const { SecretID } = await loggedIn('gone-app');
    const ms = await refusedAfter(
      () => scene.keycloak.admin.updateClient(scene.realm, 'gone-app', { enabled: false }),
      () => scene.status(SecretID, 'GET', '/v1/acl/token/self'),
    );
    expect(ms).toBeLessThan(2_000);
  });

  it('gets a token that ends after 60 s, the lifetime of its access tokens', async () => {
    const { token, livedSeconds } = await shortLife;
    expect(lifeOf(token)).toBe(60);
    expect(livedSeconds).toBeGreaterThanOrEqual(59);
    expect(livedSeconds).toBeLessThan(65);
  });

  it('that is an agent never gets more than the limit of agents', async () => {
    await scene.createClient('robot', ['config:read', 'vault:admin'], {
      actor: 'agent',
      'access.token.lifespan': '600',
    });
    const token = await loggedIn('robot');
    await scene.daemon.idle();
    expect(lifeOf(token)).toBe(120);
    expect(await read(token.SecretID, 'config/a')).toBe(200);
    expect(await read(token.SecretID, 'vault/a')).toBe(403);
    await scene.createClient('human-run', ['vault:admin'], { 'access.token.lifespan': '600' });
    const workload = await loggedIn('human-run');
    expect(lifeOf(workload)).toBe(600);
    expect(await read(workload.SecretID, 'vault/a')).toBe(200);
  });
});
