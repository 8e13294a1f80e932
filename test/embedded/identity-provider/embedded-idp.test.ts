import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createEmbeddedIdp, type EmbeddedIdp } from '../../../src/embedded/identity-provider/embedded-idp.js';
import { Secret } from '../../../src/model/secret.js';
import { type EventReceiver, startEventReceiver } from './event-receiver.js';

describe('the embedded identity provider', () => {
  let receiver: EventReceiver;
  let idp: EmbeddedIdp;

  beforeEach(async () => {
    receiver = await startEventReceiver();
    idp = await createEmbeddedIdp({
      clients: [
        {
          clientId: 'web-app',
          name: 'Web',
          scopes: ['orders:read', 'orders:write'],
          accessTokenLifetimeSeconds: 77,
          attributes: { 'consul-services': 'web' },
          secret: new Secret('web-app-secret'),
        },
        { clientId: 'portal', grantTypes: ['authorization_code'], scopes: ['orders:read'] },
      ],
      webhook: receiver,
      clock: systemClock,
    });
  });
  afterEach(async () => {
    await idp.close();
    await receiver.close();
  });

  const token = async (clientId: string, scope: string, more: Record<string, string> = {}) => {
    const secret = idp.clientSecret(clientId)?.reveal() ?? 'none';
    const response = await fetch(`${idp.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope, ...more }),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };
  const call = async (
    method: string,
    path: string,
    json?: unknown,
    bearer = idp.managementToken.reveal(),
  ) => {
    const response = await fetch(`${idp.issuer}${path}`, {
      method,
      headers: bearer === '' ? {} : { authorization: `Bearer ${bearer}` },
      ...(json === undefined ? {} : { body: typeof json === 'string' ? json : JSON.stringify(json) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
  const events = async () => {
    await idp.settled();
    return receiver.received.map(({ type, content }) => [type, content]);
  };

  describe('people', () => {
    test('are created, changed and deleted, and each change is reported', async () => {
      expect(await call('PUT', '/people/ann', { groups: ['ops', 'ops'] })).toMatchObject({ status: 200 });
      await call('PUT', '/people/ann', { groups: ['ops'] });
      await call('PUT', '/people/ben', { groups: [], enabled: false });
      expect((await call('GET', '/directory')).body.people).toEqual([
        { subject: 'ann', enabled: true, groups: ['ops'] },
        { subject: 'ben', enabled: false, groups: [] },
      ]);
      expect((await call('DELETE', '/people/ben')).status).toBe(204);
      expect((await call('DELETE', '/people/ben')).status).toBe(404);
      expect((await call('PUT', '/people/ann', { groups: [] }, '')).status).toBe(401);
      expect(await events()).toEqual([
        ['person.updated', { subject: 'ann' }],
        ['person.updated', { subject: 'ben' }],
        ['person.updated', { subject: 'ben' }],
      ]);
    });

    test('get tokens with their groups while they and the client are enabled', async () => {
      await call('PUT', '/people/ann', { groups: ['ops'] });
      const { status, body } = await call('POST', '/people/ann/token?client=web-app');
      expect(status).toBe(200);
      const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`));
      const { payload } = await jwtVerify(body.access_token, keys, {
        issuer: idp.issuer,
        audience: 'consul',
      });
      expect(payload).toMatchObject({ sub: 'ann', client_id: 'web-app', groups: ['ops'] });
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(77);
      expect((await call('POST', '/people/ann/token?client=web-app', undefined, '')).status).toBe(401);
      expect((await call('POST', '/people/ann/token?client=nobody')).status).toBe(404);
      await call('PUT', '/people/ann', { groups: ['ops'], enabled: false });
      expect((await call('POST', '/people/ann/token?client=web-app')).status).toBe(404);
    });
  });

  describe('as a token server', () => {
    test('issues JWTs that verify against the keys of its discovery document', async () => {
      const discovery = (await call('GET', '/.well-known/openid-configuration')).body;
      expect(discovery).toMatchObject({ issuer: idp.issuer, grant_types_supported: ['client_credentials'] });
      const { status, body } = await token('web-app', 'orders:read');
      expect({ status, lifetime: body.expires_in, scope: body.scope }).toEqual({
        status: 200,
        lifetime: 77,
        scope: 'orders:read',
      });
      const keys = createRemoteJWKSet(new URL(discovery.jwks_uri));
      const { payload } = await jwtVerify(body.access_token, keys, {
        issuer: idp.issuer,
        audience: 'consul',
      });
      expect(payload).toMatchObject({ client_id: 'web-app', sub: 'web-app', scope: 'orders:read' });
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(77);
    });

    test('refuses a wrong secret, an unknown client and a client without this grant type', async () => {
      expect(await token('nobody', 'orders:read')).toMatchObject({ status: 401 });
      expect(await token('portal', 'orders:read')).toMatchObject({ status: 400 });
      await call('PATCH', '/clients/portal', { grantTypes: ['client_credentials'] });
      expect(await token('portal', 'orders:read')).toMatchObject({ status: 200 });
      const response = await fetch(`${idp.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: 'web-app',
          client_secret: 'guessed',
        }),
      });
      expect(response.status).toBe(401);
    });

    test('refuses a scope that the client does not have, together with scopes that it has', async () => {
      expect(await token('web-app', 'orders:read orders:admin')).toMatchObject({
        status: 400,
        body: { error: 'invalid_scope', scope: 'orders:admin' },
      });
    });

    test('refuses a resource that is not its API', async () => {
      const { status, body } = await token('web-app', 'orders:read', { resource: 'https://else.example' });
      expect([status, body.error]).toEqual([400, 'invalid_target']);
    });

    test('applies each change to the next request', async () => {
      expect((await token('web-app', 'orders:write')).status).toBe(200);
      await call('DELETE', '/clients/web-app/scopes/orders:write');
      expect((await token('web-app', 'orders:write')).body.error).toBe('invalid_scope');
      await call('POST', '/clients/web-app/scopes/orders:write');
      expect((await token('web-app', 'orders:write')).status).toBe(200);
      await call('PATCH', '/clients/web-app', { accessTokenLifetimeSeconds: 5 });
      expect((await token('web-app', 'orders:write')).body.expires_in).toBe(5);
      await call('PATCH', '/clients/web-app', { enabled: false });
      expect((await token('web-app', 'orders:write')).body.error).toBe('invalid_client');
      await call('PATCH', '/clients/web-app', { enabled: true });
      expect((await token('web-app', 'orders:write')).status).toBe(200);
      await call('DELETE', '/clients/web-app');
      expect((await token('web-app', 'orders:write')).status).toBe(401);
    });

    test('accepts only the new secret after a rotation', async () => {
      const old = idp.clientSecret('web-app');
      const before = (await call('GET', '/directory/web-app')).body.secretCreatedAt;
      await call('POST', '/clients/web-app/scopes/x');
      expect((await call('GET', '/directory/web-app')).body.secretCreatedAt).toBe(before);
      const { body } = await call('POST', '/clients/web-app/secret');
      expect(body.secretCreatedAt > before).toBe(true);
      expect(body.clientSecret).not.toBe(old?.reveal());
      expect(body.clientSecret).toBe(idp.clientSecret('web-app')?.reveal());
      expect((await token('web-app', 'orders:read')).status).toBe(200);
    });
  });

  describe('as a directory', () => {
    const webApp = {
      clientId: 'web-app',
      name: 'Web',
      enabled: true,
      grantTypes: ['client_credentials'],
      scopes: ['orders:read', 'orders:write'],
      accessTokenLifetimeSeconds: 77,
      attributes: { 'consul-services': 'web' },
      secretCreatedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    };

    test('serves the document, sorted, without any secret', async () => {
      const { body } = await call('GET', '/directory', undefined, '');
      expect(body.single).toBe(true);
      expect(body.clients.map(({ clientId }: { clientId: string }) => clientId)).toEqual([
        'portal',
        'web-app',
      ]);
      expect(body.clients[1]).toEqual(webApp);
      expect(JSON.stringify(body)).not.toContain('web-app-secret');
    });

    test('has an ETag that changes only with the content', async () => {
      const etag = (await call('GET', '/directory')).headers.get('etag') ?? '';
      const again = () => fetch(`${idp.issuer}/directory`, { headers: { 'if-none-match': `"x", ${etag}` } });
      expect((await again()).status).toBe(304);
      await call('POST', '/clients/web-app/scopes/orders:read');
      expect((await again()).status).toBe(304);
      await call('DELETE', '/clients/web-app/scopes/orders:read');
      expect((await again()).status).toBe(200);
    });

    test('serves one client, and names the ID of a missing one', async () => {
      expect((await call('GET', '/directory/web-app')).body).toEqual(webApp);
      expect(await call('GET', '/directory/gone%2Fby')).toMatchObject({
        status: 404,
        body: { clientId: 'gone/by' },
      });
    });
  });

  describe('as a place to change clients', () => {
    test('reports each change once, signed, in order', async () => {
      await call('PUT', '/clients/bot', { scopes: ['a'], attributes: { actor: 'agent' } });
      await call('POST', '/clients/bot/scopes/b');
      await call('POST', '/clients/bot/scopes/b');
      await call('DELETE', '/clients/bot/scopes/a');
      await call('PATCH', '/clients/bot', { enabled: false });
      await call('PATCH', '/clients/bot', { enabled: true });
      await call('POST', '/clients/bot/compromised');
      await call('DELETE', '/clients/bot');
      await call('POST', '/sessions/alice%40example.com/revoked?client=portal');
      const bot = { clientId: 'bot' };
      expect(await events()).toEqual([
        ['client.created', bot],
        ['client.updated', bot],
        ['client.updated', bot],
        ['client.disabled', bot],
        ['client.updated', bot],
        ['client.secret-compromised', bot],
        ['client.deleted', bot],
        ['session.revoked', { subject: 'alice@example.com', clientId: 'portal' }],
      ]);
      expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(8);
      expect(receiver.received.flatMap(({ event }) => event?.orders.map(({ kind }) => kind))).toEqual([
        'client-disabled',
        'secret-compromised',
        'client-deleted',
        'session-revoked',
      ]);
    });

    test('retries a delivery under the same ID until it succeeds, before the next one', async () => {
      receiver.failures.push(503, 500);
      await call('POST', '/clients/web-app/scopes/c');
      await call('DELETE', '/clients/web-app');
      expect((await events()).map(([type]) => type)).toEqual(['client.updated', 'client.deleted']);
      expect(receiver.refused).toEqual([receiver.received[0]?.id, receiver.received[0]?.id]);
    });

    test('answers a change if the webhook does not accept its event, and closes without waiting', async () => {
      receiver.failures.push(...Array(50).fill(503));
      expect((await call('DELETE', '/clients/web-app')).status).toBe(204);
      await idp.close();
      await idp.close();
      expect(receiver.received).toEqual([]);
    });

    test('merges attributes one by one, and null removes one', async () => {
      await call('PATCH', '/clients/web-app', { attributes: { actor: 'agent' } });
      const { body } = await call('PATCH', '/clients/web-app', { attributes: { 'consul-services': null } });
      expect(body.attributes).toEqual({ actor: 'agent' });
    });

    test('keeps the secret of a replaced client, and shows a new one only at creation', async () => {
      const created = await call('PUT', '/clients/bot', { scopes: [] });
      expect(created.status).toBe(201);
      expect(created.body.clientSecret).toBe(idp.clientSecret('bot')?.reveal());
      const replaced = await call('PUT', '/clients/bot', { scopes: ['a'] });
      expect(replaced.status).toBe(200);
      expect(replaced.body).not.toHaveProperty('clientSecret');
      expect(created.body.clientSecret).toBe(idp.clientSecret('bot')?.reveal());
    });

    test.each<[string, string, string, unknown, number]>([
      ['an unknown key', 'PUT', '/clients/x', { scopes: [], scope: 'a' }, 400],
      ['no scopes', 'PUT', '/clients/x', {}, 400],
      ['another client id than the path', 'PUT', '/clients/x', { scopes: [], clientId: 'y' }, 400],
      ['a scope with a space', 'POST', '/clients/web-app/scopes/a%20b', undefined, 400],
      ['half a document', 'PATCH', '/clients/web-app', '{"enabled":', 400],
      ['a broken escape', 'DELETE', '/clients/%zz', undefined, 400],
      ['a body over the limit', 'PATCH', '/clients/web-app', `{"name":"${'x'.repeat(300_000)}"}`, 413],
      ['a client there is not', 'PATCH', '/clients/nobody', { enabled: false }, 404],
      ['a scope of a client there is not', 'DELETE', '/clients/nobody/scopes/a', undefined, 404],
      ['a path there is not', 'POST', '/clients/web-app/scopes', undefined, 404],
      ['a method there is not', 'POST', '/clients/web-app', {}, 405],
      ['a change of the directory itself', 'DELETE', '/directory/web-app', undefined, 405],
    ])('%s is refused, changes nothing and reports nothing', async (_, method, path, json, status) => {
      const before = (await call('GET', '/directory')).body;
      expect((await call(method, path, json)).status).toBe(status);
      expect((await call('GET', '/directory')).body).toEqual(before);
      expect(await events()).toEqual([]);
    });

    test('every change needs the management token', async () => {
      for (const bearer of ['', 'guessed', `${idp.managementToken.reveal()}x`]) {
        expect((await call('DELETE', '/clients/web-app', undefined, bearer)).status).toBe(401);
        expect((await call('POST', '/sessions/alice/revoked', undefined, bearer)).status).toBe(401);
      }
      expect((await token('web-app', 'orders:read')).status).toBe(200);
    });
  });

  test('with a configured management token, reading the directory needs it too', async () => {
    const managementToken = new Secret('of-my-own');
    const other = await createEmbeddedIdp({ clients: [], managementToken, clock: systemClock });
    expect((await fetch(`${other.issuer}/directory`)).status).toBe(401);
    const headers = { authorization: 'Bearer of-my-own' };
    expect((await fetch(`${other.issuer}/directory`, { headers })).status).toBe(200);
    await other.close();
  });

  test('an address in use is refused with the reason', async () => {
    const port = Number(new URL(idp.issuer).port);
    const start = createEmbeddedIdp({ port, clients: [], clock: systemClock });
    await expect(start).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  test('it prints nothing, even if oidc-provider would warn about the runtime', async () => {
    const script = `
      const { createEmbeddedIdp } = await import('./src/embedded/identity-provider/embedded-idp.ts');
      const { systemClock } = await import('./src/clock.ts');
      const clients = [{ clientId: 'a', scopes: ['s'] }];
      const idp = await createEmbeddedIdp({ clients, clock: systemClock });
      const body = new URLSearchParams({
        grant_type: 'client_credentials', client_id: 'a', scope: 's', client_secret: idp.clientSecret('a').reveal(),
      });
      const { status } = await fetch(idp.issuer + '/token', { method: 'POST', body });
      await idp.close();
      console.log(status);
    `;
    const run = promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      script,
    ]);
    expect(await run).toEqual({ stdout: '200\n', stderr: '' });
  });
});
