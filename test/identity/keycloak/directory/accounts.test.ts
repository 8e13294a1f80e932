import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Directory } from '../../../../src/identity/directory.js';
import { KeycloakNames } from '../../../../src/identity/keycloak/names.js';
import { silentLogger } from '../../../../src/observe.js';
import { failureOf } from '../../../support/failure-of.js';
import { type DirectoryRig, startDirectoryRig } from '../directory-rig.js';
import type { FakeRole } from '../fake-keycloak.js';

const signal = new AbortController().signal;
const WRITER: FakeRole = { id: 'r1', name: 'writer' };
const READER: FakeRole = { id: 'r2', name: 'reader', client: 'orders-api' };

let rig: DirectoryRig;
beforeEach(async () => {
  rig = await startDirectoryRig();
});
afterEach(() => rig.stop());

/** What a complete read and a read of the client say of it, which must be the same. */
async function readGrants(clientId: string, directory: Directory = rig.directory) {
  const one = await directory.read('clientId', clientId, signal);
  const { clients } = await directory.readAll(signal);
  expect(clients.find((client) => client.clientId === clientId)).toEqual(one);
  const grants = one?.grants.map(({ api, name }) => (api === undefined ? name : `${api}#${name}`));
  return { grantTypes: one?.grantTypes, grants };
}

const CLOSED = { grantTypes: [], grants: [] };
const OPEN = { grantTypes: ['client_credentials'], grants: ['profile'] };

describe.each([false, true])('a service account, with its roles as scopes: %s', (serviceAccountRoles) => {
  let directory: Directory;
  beforeEach(() => {
    directory = rig.open({ serviceAccountRoles, names: new KeycloakNames() });
  });

  it('that was deleted opens nothing, and no read creates it again', async () => {
    const { keycloak } = rig;
    expect(await readGrants('svc-1', directory)).toEqual(OPEN);
    const { id } = keycloak.account('svc-1');
    keycloak.removeAccount('svc-1');
    expect(await readGrants('svc-1', directory)).toEqual(CLOSED);
    expect(await directory.read('serviceAccount', id, signal)).toMatchObject({
      ...CLOSED,
      clientId: 'svc-1',
    });
    expect(keycloak.users.some(({ username }) => username === 'service-account-svc-1')).toBe(false);
    expect(keycloak.count('service-account-user')).toBe(0);
  });

  it('that is disabled opens nothing until it is enabled', async () => {
    const account = rig.keycloak.account('svc-1');
    account.enabled = false;
    expect(await readGrants('svc-1', directory)).toEqual(CLOSED);
    account.enabled = true;
    expect(await readGrants('svc-1', directory)).toEqual(OPEN);
  });

  it('that is missing ends the client’s own login, and leaves what people get at it', async () => {
    rig.keycloak.add('portal', { standardFlowEnabled: true });
    rig.keycloak.removeAccount('portal');
    expect(await readGrants('portal', directory)).toEqual({
      grantTypes: ['authorization_code'],
      grants: ['profile'],
    });
  });

  it('is found by the client ID in lower case, and is no other user with such a name', async () => {
    const { keycloak } = rig;
    keycloak.add('Svc-Big');
    keycloak.addUser('old-service-account-svc-big');
    expect(await readGrants('Svc-Big', directory)).toEqual(OPEN);
    keycloak.removeAccount('Svc-Big');
    keycloak.addUser('service-account-svc-big');
    expect(await readGrants('Svc-Big', directory)).toEqual(CLOSED);
    const { id } = keycloak.addUser('service-account-svc-big2');
    expect(await directory.read('serviceAccount', id, signal)).toBeUndefined();
  });

  it('does not count as deleted if the list leaves it out or ends early', async () => {
    rig.onPath('users?username=service-account-', (url, response) => {
      if (url.searchParams.has('exact')) return false;
      response.writeHead(200, { 'content-type': 'application/json' }).end('[]');
      return true;
    });
    expect(await failureOf(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  it('costs a read of its client one request once it is known', async () => {
    const { keycloak } = rig;
    await directory.readAll(signal);
    keycloak.requests.length = 0;
    await directory.read('clientId', 'svc-1', signal);
    expect(keycloak.count('/users?')).toBe(1);
    expect(keycloak.requests).toHaveLength(serviceAccountRoles ? 4 : 2);
  });
});

describe('service accounts that the token may not see', () => {
  it('count as their clients state, if their roles are no scopes', async () => {
    const { keycloak, directory } = rig;
    const { id } = keycloak.account('svc-1');
    keycloak.removeAccount('svc-1');
    keycloak.showsUsers = false;
    expect(await readGrants('svc-1')).toEqual(OPEN);
    expect(await rig.open().read('serviceAccount', id, signal)).toBeUndefined();
    keycloak.showsUsers = true;
    const none = keycloak.users;
    keycloak.users = [];
    expect(await readGrants('svc-2')).toEqual(OPEN);
    keycloak.users = none;
    expect((await directory.readAll(signal)).clients).toHaveLength(13);
  });

  it('are refused with the role to grant, if their roles are scopes', async () => {
    const directory = rig.open({ serviceAccountRoles: true });
    rig.keycloak.showsUsers = false;
    const denied = { code: 'ERR_DIRECTORY_DENIED', message: expect.stringContaining('view-users') };
    expect(await failureOf(directory.readAll(signal))).toMatchObject(denied);
    expect(await failureOf(directory.read('clientId', 'svc-1', signal))).toMatchObject(denied);
  });
});

it('a client with every flow switched off opens nothing, and one with a flow by an attribute does', async () => {
  const { keycloak } = rig;
  keycloak.add('off', { serviceAccountsEnabled: false });
  expect(await readGrants('off')).toEqual(CLOSED);
  for (const [attribute, type] of [
    ['oauth2.device.authorization.grant.enabled', 'urn:ietf:params:oauth:grant-type:device_code'],
    ['standard.token.exchange.enabled', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    ['oauth2.jwt.authorization.grant.enabled', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
    ['oidc.ciba.grant.enabled', 'urn:openid:params:grant-type:ciba'],
  ] as const) {
    keycloak.add(type, { serviceAccountsEnabled: false, attributes: { [attribute]: 'true' } });
    expect(await readGrants(type)).toEqual({ grantTypes: [type], grants: ['profile'] });
  }
});

describe('a client scope that requires a role', () => {
  const restrict = (...roles: readonly FakeRole[]) => {
    rig.keycloak.scopes.push({ id: 's-orders', name: 'orders:write', roles });
    for (const client of ['svc-1', 'svc-2'])
      Object.assign(rig.keycloak.clients.find(({ clientId }) => clientId === client) ?? {}, {
        optionalClientScopes: ['orders:write'],
      });
  };

  it.each([WRITER, READER])('counts for a client whose service account has the role: %o', async (role) => {
    restrict(role, { id: 'r9', name: 'other' });
    rig.keycloak.giveRoles('svc-1', role);
    rig.keycloak.giveRoles('svc-2', { ...role, id: 'r8' });
    expect((await readGrants('svc-1')).grants).toEqual(['orders:write', 'profile']);
    expect((await readGrants('svc-2')).grants).toEqual(['profile']);
    rig.keycloak.account('svc-1').enabled = false;
    expect((await readGrants('svc-1')).grants).toEqual([]);
  });

  it('does not count for a client at which only people sign in', async () => {
    restrict(WRITER);
    const people = { serviceAccountsEnabled: false, standardFlowEnabled: true };
    rig.keycloak.add('portal', { ...people, defaultClientScopes: ['orders:write', 'profile'] });
    expect((await readGrants('portal')).grants).toEqual(['profile']);
  });

  it('counts for no client if the token may not see users, which is logged once', async () => {
    restrict(WRITER);
    rig.keycloak.giveRoles('svc-1', WRITER);
    rig.keycloak.showsUsers = false;
    const warn = vi.fn();
    const directory = rig.open({ logger: { ...silentLogger, warn } });
    expect((await readGrants('svc-1', directory)).grants).toEqual(['profile']);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ remedy: expect.stringContaining('view-users') });
  });

  it('is read once by a complete read, and by reads of clients only if it is new', async () => {
    const { keycloak, directory } = rig;
    restrict(WRITER);
    await directory.readAll(signal);
    expect(keycloak.requests.filter((request) => request.endsWith('/scope-mappings'))).toHaveLength(2);
    keycloak.requests.length = 0;
    await directory.read('clientId', 'svc-1', signal);
    expect(keycloak.count('/scope-mappings')).toBe(0);
    keycloak.add('new', { defaultClientScopes: ['profile', 'new:scope'] });
    for (let read = 1; read <= 2; read++) await directory.read('clientId', 'new', signal);
    expect(keycloak.count('/scope-mappings')).toBe(1);
  });

  it('is found by the next complete read, which decides whether events of roles matter', async () => {
    const { keycloak } = rig;
    const names = new KeycloakNames();
    const directory = rig.open({ names });
    restrict();
    expect((await readGrants('svc-1', directory)).grants).toEqual(['orders:write', 'profile']);
    expect([names.mayRestrict, names.knowsServiceAccounts]).toEqual([false, true]);
    keycloak.scopes = keycloak.scopes.map((scope) =>
      scope.name === 'orders:write' ? { ...scope, roles: [WRITER] } : scope,
    );
    await directory.readAll(signal);
    expect((await readGrants('svc-1', directory)).grants).toEqual(['profile']);
    expect(names.mayRestrict).toBe(true);
  });

  it('is not read for offline_access, which opens no API', async () => {
    const { keycloak } = rig;
    keycloak.scopes.push({ id: 's-offline', name: 'offline_access', roles: [WRITER] });
    keycloak.add('old', { optionalClientScopes: ['offline_access'] });
    expect((await readGrants('old')).grants).toEqual(['offline_access', 'profile']);
    expect(keycloak.count('/s-offline/')).toBe(0);
  });
});

it('roles that its own scope mappings allow count for a client, also nested ones', async () => {
  const { keycloak } = rig;
  const directory = rig.open({ serviceAccountRoles: true });
  keycloak.add('narrow', {
    fullScopeAllowed: false,
    scopeRoles: [{ id: 'r0', name: 'bundle' }, WRITER, READER],
  });
  keycloak.giveRoles('narrow', WRITER, READER, { id: 'r3', name: 'other' });
  expect((await readGrants('narrow', directory)).grants).toEqual(['profile', 'writer', 'orders-api#reader']);
});
