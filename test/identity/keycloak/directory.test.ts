import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SyncError } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import { silentLogger } from '../../../src/observe.js';
import { failureOf } from '../../support/failure-of.js';
import { type DirectoryRig, SECRET, sent, startDirectoryRig } from './directory-rig.js';
import { type Fault, json } from './fake-keycloak.js';

const signal = new AbortController().signal;

describe('the Keycloak directory', () => {
  let rig: DirectoryRig;
  beforeEach(async () => {
    rig = await startDirectoryRig();
  });
  afterEach(() => rig.stop());

  it('reads every page and then one that holds only the last client again', async () => {
    const { keycloak, ids } = rig;
    const clients = await ids();
    expect(clients).toHaveLength(13);
    expect(keycloak.requests.filter((request) => request.includes('clients?first='))).toEqual(
      [0, 3, 6, 9, 12].map((first) => `GET /admin/realms/main/clients?first=${first}&max=4`),
    );
  });

  it('reads again if a client is deleted between two pages, and misses none', async () => {
    const { keycloak, onPath, ids } = rig;
    let done = false;
    onPath('first=6', () => {
      if (!done) keycloak.remove('account');
      done = true;
      return false;
    });
    const clients = await ids();
    expect(clients).toEqual(keycloak.clients.map((client) => client.clientId));
    expect(clients).toHaveLength(12);
  });

  it('reads again if a client is added between two pages, and shows none twice', async () => {
    const { keycloak, onPath, ids } = rig;
    let done = false;
    onPath('first=6', () => {
      if (!done) keycloak.add('aaa');
      done = true;
      return false;
    });
    const clients = await ids();
    expect(clients).toEqual(keycloak.clients.map((client) => client.clientId));
    expect(clients).toHaveLength(14);
  });

  it('leaves out a client that is deleted before its roles are read', async () => {
    const { keycloak, onPath, open } = rig;
    const { id } = keycloak.account('svc-3');
    onPath(`/users/${id}/role-mappings`, () => {
      if (keycloak.clients.some(({ clientId }) => clientId === 'svc-3')) keycloak.remove('svc-3');
      return false;
    });
    const { clients, unreadable } = await open({ serviceAccountRoles: true }).readAll(signal);
    expect(clients.map(({ clientId }) => clientId)).toEqual(keycloak.clients.map(({ clientId }) => clientId));
    expect(clients).toHaveLength(12);
    expect(unreadable).toEqual([]);
  });

  it('shows a client whose roles cannot be read as unreadable, and is not read if that is true of more than ten', async () => {
    const { keycloak, open } = rig;
    let broken = [keycloak.account('svc-3').id];
    keycloak.fault = (url, response) => {
      const isBroken = broken.some((id) => url.pathname.includes(`/users/${id}/role-mappings`));
      return isBroken && sent(() => json(response, 404, { error: 'User not found' }));
    };
    const directory = open({ serviceAccountRoles: true });
    const { clients, unreadable } = await directory.readAll(signal);
    expect(clients).toHaveLength(12);
    expect(unreadable).toMatchObject([{ clientId: 'svc-3', why: expect.stringContaining('answered 404') }]);
    broken = keycloak.users.map(({ id }) => id);
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  it('maps flags, lifetimes and attributes, and skips clients that are not OAuth clients', async () => {
    const { keycloak, directory } = rig;
    keycloak.add('saml', { protocol: 'saml' });
    keycloak.add('bearer', { bearerOnly: true, standardFlowEnabled: true });
    keycloak.add('spa', { publicClient: true, standardFlowEnabled: true, implicitFlowEnabled: true });
    keycloak.add('all', {
      name: 'All',
      enabled: false,
      standardFlowEnabled: true,
      directAccessGrantsEnabled: true,
      defaultClientScopes: ['b', 'a'],
      optionalClientScopes: ['c', 'a'],
      attributes: {
        'access.token.lifespan': '60',
        actor: 'agent',
        'oauth2.device.authorization.grant.enabled': 'true',
        'oidc.ciba.grant.enabled': 'true',
        'oauth2.jwt.authorization.grant.enabled': 'true',
        'client.secret.rotated': 'old-secret',
        'client.secret.creation.time': '1795560657',
        'saml.signing.private.key': 'key',
      },
    });
    const { clients } = await directory.readAll(signal);
    const named = new Map(clients.map((client) => [client.clientId, client]));
    expect(named.has('saml')).toBe(false);
    expect(named.get('bearer')).toMatchObject({ grantTypes: [], grants: [] });
    expect(named.get('spa')?.grantTypes).toEqual(['authorization_code', 'implicit']);
    expect(named.get('svc-1')).toMatchObject({ accessTokenLifetimeSeconds: 300, enabled: true });
    expect(named.get('all')).toEqual({
      provider: 'main',
      secretCreatedAt: '2026-11-24T22:50:57.000Z',
      clientId: 'all',
      internalId: keycloak.clients.find((client) => client.clientId === 'all')?.id,
      name: 'All',
      enabled: false,
      grantTypes: [
        'authorization_code',
        'client_credentials',
        'password',
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
        'urn:openid:params:grant-type:ciba',
      ],
      grants: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
      accessTokenLifetimeSeconds: 60,
      attributes: {
        'access.token.lifespan': '60',
        actor: 'agent',
        'oauth2.device.authorization.grant.enabled': 'true',
        'oidc.ciba.grant.enabled': 'true',
        'oauth2.jwt.authorization.grant.enabled': 'true',
        'client.secret.creation.time': '1795560657',
      },
    });
  });

  describe('without the right to see the lifespan of the realm', () => {
    const lifetimes = async (directory: Directory) =>
      new Map(
        (await directory.readAll(signal)).clients.map(
          ({ clientId, accessTokenLifetimeSeconds, isLifetimeUnread }) => [
            clientId,
            accessTokenLifetimeSeconds ?? (isLifetimeUnread === true ? 'unread' : 'none'),
          ],
        ),
      );

    it.each([undefined, null, 0, -1, 'soon'])(
      'marks the lifetime of each client without its own as unread: %s',
      async (accessTokenLifespan) => {
        const { keycloak, directory } = rig;
        keycloak.add('own', { attributes: { 'access.token.lifespan': '60' } });
        keycloak.realmFields = { realm: 'main', accessTokenLifespan };
        const found = await lifetimes(directory);
        expect([found.get('own'), found.get('svc-1')]).toEqual([60, 'unread']);
        const one = await directory.read('clientId', 'svc-1', signal);
        expect(one).toMatchObject({ isLifetimeUnread: true });
        expect(one).not.toHaveProperty('accessTokenLifetimeSeconds');
      },
    );

    it('keeps the last visible one, and warns once until it is visible again', async () => {
      const { keycloak, open, advance } = rig;
      const warn = vi.fn();
      const directory = open({ logger: { ...silentLogger, warn } });
      expect((await lifetimes(directory)).get('svc-1')).toBe(300);
      keycloak.realmFields = { realm: 'main' };
      for (let read = 1; read <= 2; read++) expect((await lifetimes(directory)).get('svc-1')).toBe(300);
      advance(61_000);
      expect(await directory.read('clientId', 'svc-1', signal)).toMatchObject({
        accessTokenLifetimeSeconds: 300,
      });
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toMatchObject({ remedy: expect.stringContaining('view-realm') });
      keycloak.realmFields = { realm: 'main', accessTokenLifespan: 240 };
      expect((await lifetimes(directory)).get('svc-1')).toBe(240);
      keycloak.realmFields = { realm: 'main' };
      expect((await lifetimes(directory)).get('svc-1')).toBe(240);
      expect(warn).toHaveBeenCalledTimes(2);
    });
  });

  it.each<[string, Fault, string]>([
    ['fails', (_, response) => sent(() => response.writeHead(503).end()), 'ERR_DIRECTORY_UNREACHABLE'],
    ['is cut off', (_, response) => sent(() => response.destroy()), 'ERR_DIRECTORY_UNREACHABLE'],
    ['is no realm', (_, response) => sent(() => json(response, 200, [])), 'ERR_DIRECTORY_INCOMPLETE'],
    ['is refused', (_, response) => sent(() => json(response, 403, {})), 'ERR_DIRECTORY_DENIED'],
  ])('fails instead of shortening lifetimes if the answer about the realm %s', async (_, fault, code) => {
    const { keycloak, directory } = rig;
    keycloak.fault = (url, ...rest) => url.pathname === '/admin/realms/main' && fault(url, ...rest);
    expect(await failureOf(directory.readAll(signal))).toMatchObject({ code });
    expect(await failureOf(directory.read('clientId', 'svc-1', signal))).toMatchObject({ code });
  });

  it('keeps no secret, neither in its result nor in its errors', async () => {
    const { directory, open, onPath } = rig;
    const texts: string[] = [JSON.stringify(await directory.readAll(signal))];
    onPath('first=3', (_, response) =>
      sent(() => response.end(`[{"id":"x","secret":"never-keep-this","token":"token-1",`)),
    );
    texts.push(everything(await failureOf(directory.readAll(signal))));
    onPath('/token', (_, response) =>
      sent(() => json(response, 401, { error: 'invalid_client', error_description: SECRET })),
    );
    const denied = await failureOf(open().readAll(signal));
    expect(denied).toMatchObject({ code: 'ERR_DIRECTORY_DENIED', retriable: false });
    texts.push(everything(denied));
    for (const text of texts) expect(text).not.toMatch(/never-keep-this|token-1|the-client-secret/);
  });

  it('refuses plain http to another machine unless that is allowed', () => {
    const { open } = rig;
    const issuer = 'http://sso.example.com/realms/main';
    expect(() => open({ issuer })).toThrow(/https/);
    expect(() => open({ issuer, insecure: true })).not.toThrow();
    expect(() => open({ issuer: 'https://sso.example.com/main' })).toThrow(/realms/);
    expect(() => open({ issuer: 'https://sso.example.com/realms/%zz' })).toThrow(SyncError);
    expect(() => open({ issuer: 'https://me:pw@sso.example.com/realms/main' })).toThrow(/user name/);
  });
});

function everything(error: SyncError): string {
  const cause = error.cause instanceof Error ? `${error.cause.message} ${error.cause.stack}` : '';
  return `${error.message} ${error.stack} ${cause} ${JSON.stringify(error)}`;
}
