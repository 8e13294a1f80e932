import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OktaOptions } from '../../../../src/identity/okta/okta.js';
import { silentLogger } from '../../../../src/observe.js';
import { API, type OktaWorld, startOktaWorld } from '../../../support/okta/world.js';

const signal = new AbortController().signal;
let world: OktaWorld;

beforeEach(async () => {
  world = await startOktaWorld();
});
afterEach(() => world.stop());

const directoryOf = (options: Partial<OktaOptions> = {}) => world.open(options).directory;

describe('what an app may obtain', () => {
  const grantsOf = async (clientId: string, options: Partial<OktaOptions> = {}) => {
    const client = await directoryOf(options).read('clientId', clientId, signal);
    return client?.grants.map(({ api, name }) => `${api} ${name}`);
  };
  const app = (grantTypes: readonly string[] = ['client_credentials']) =>
    world.server.org.addApp({ grantTypes });
  const rule = (clients: readonly string[], fields: Parameters<typeof world.server.org.addRule>[2]) => {
    const policy = world.server.org.addPolicy(world.mesh.id, clients);
    return { policy, rule: world.server.org.addRule(world.mesh.id, policy, fields) };
  };
  beforeEach(() => {
    for (const name of ['orders:read', 'orders:write']) world.server.org.addScope(world.mesh.id, name);
  });

  it('is every custom scope if a rule for all clients says *, and no OpenID Connect scope', async () => {
    rule(['ALL_CLIENTS'], { scopes: ['*'] });
    expect(await grantsOf(app().id)).toEqual([`${API} orders:read`, `${API} orders:write`]);
  });

  it('is what any rule of any policy allows, with the shortest lifetime', async () => {
    const client = app();
    rule([client.id], { scopes: ['orders:read'], lifetimeMinutes: 90 });
    rule(['ALL_CLIENTS', 'another'], { scopes: ['orders:write'], lifetimeMinutes: 15 });
    expect(await grantsOf(client.id)).toEqual([`${API} orders:read`, `${API} orders:write`]);
    const read = await directoryOf().read('clientId', client.id, signal);
    expect(read?.accessTokenLifetimeSeconds).toBe(900);
  });

  it('does not have the lifetime of a rule that allows nothing', async () => {
    const client = app();
    rule([client.id], { scopes: ['orders:read'], lifetimeMinutes: 90 });
    rule([client.id], { scopes: ['openid'], lifetimeMinutes: 5 });
    rule([client.id], { scopes: ['orders:write'], grantTypes: ['implicit'], lifetimeMinutes: 5 });
    const read = await directoryOf().read('clientId', client.id, signal);
    expect(read?.accessTokenLifetimeSeconds).toBe(5400);
  });

  it('does not come from a policy for others, inactive parts, or a deleted scope', async () => {
    const client = app();
    rule(['another'], { scopes: ['orders:read'] });
    rule([client.id], { scopes: ['orders:read'], status: 'INACTIVE' });
    rule([client.id], { scopes: ['orders:gone'] });
    const { policy } = rule([client.id], { scopes: ['orders:write'] });
    world.server.org.setPolicyStatus(world.mesh.id, policy, 'INACTIVE');
    expect(await grantsOf(client.id)).toEqual([]);
  });

  it('is nothing at an inactive server', async () => {
    rule(['ALL_CLIENTS'], {});
    const client = app();
    expect(await grantsOf(client.id)).toHaveLength(2);
    world.server.org.setServerStatus(world.mesh.id, 'INACTIVE');
    expect(await grantsOf(client.id)).toEqual([]);
  });

  it('for people counts if the rule is for everyone and the app has its grant type', async () => {
    rule(['ALL_CLIENTS'], { scopes: ['orders:read'], grantTypes: ['authorization_code'] });
    rule(['ALL_CLIENTS'], {
      scopes: ['orders:write'],
      grantTypes: ['authorization_code'],
      people: ['00gadmins'],
    });
    expect(await grantsOf(app(['authorization_code', 'refresh_token']).id)).toEqual([`${API} orders:read`]);
    expect(await grantsOf(app(['client_credentials']).id)).toEqual([]);
  });

  it.each([
    ['users', { users: ['00umallory'], groups: [] }],
    ['groups', { users: [], groups: ['00gcontractors'] }],
  ])('for people does not count if the rule is for everyone except some %s', async (_, excluded) => {
    rule(['ALL_CLIENTS'], { scopes: ['orders:read'], grantTypes: ['authorization_code'], excluded });
    rule(['ALL_CLIENTS'], {
      scopes: ['orders:write'],
      grantTypes: ['authorization_code'],
      excluded: { users: [], groups: [] },
    });
    expect(await grantsOf(app(['authorization_code']).id)).toEqual([`${API} orders:write`]);
  });

  it('for itself does not depend on people', async () => {
    rule(['ALL_CLIENTS'], { scopes: ['orders:read'], people: [] });
    expect(await grantsOf(app().id)).toEqual([`${API} orders:read`]);
  });

  it('for itself includes no scope that needs consent, and none with an unknown kind of consent', async () => {
    // https://developer.okta.com/docs/guides/request-user-consent: Block services from requesting this scope.
    const { org } = world.server;
    for (const consent of ['FLEXIBLE', 'REQUIRED', 'BY_POST'])
      org.addScope(world.mesh.id, consent.toLowerCase(), consent);
    const flows = ['client_credentials', 'authorization_code'];
    rule(['ALL_CLIENTS'], { scopes: ['*'], grantTypes: flows });
    const ofAll = [`${API} by_post`, `${API} flexible`, `${API} orders:read`, `${API} orders:write`];
    expect(await grantsOf(app().id)).toEqual(ofAll.slice(1));
    expect(await grantsOf(app(flows).id)).toEqual([...ofAll, `${API} required`]);
  });

  it('has no lifetime from a client credentials rule whose only scope needs consent', async () => {
    world.server.org.addScope(world.mesh.id, 'asked', 'REQUIRED');
    const client = app();
    rule([client.id], { scopes: ['asked'], lifetimeMinutes: 5 });
    rule([client.id], { scopes: ['orders:read'], lifetimeMinutes: 90 });
    const read = await directoryOf().read('clientId', client.id, signal);
    expect(read).toMatchObject({ grants: [{ name: 'orders:read' }], accessTokenLifetimeSeconds: 5400 });
  });

  it('belongs to the server by its configured name: ID, issuer or audience', async () => {
    rule(['ALL_CLIENTS'], { scopes: ['orders:read'] });
    const other = world.server.org.addServer('api://other');
    world.server.org.addScope(other.id, 'orders:read');
    const policy = world.server.org.addPolicy(other.id, ['ALL_CLIENTS']);
    world.server.org.addRule(other.id, policy);
    const client = app();
    const issuer = `${world.server.address}/oauth2/${other.id}`;
    expect(await grantsOf(client.id)).toEqual([`${API} orders:read`]);
    expect(await grantsOf(client.id, { apis: [world.mesh.id, issuer] })).toEqual([
      `${world.mesh.id} orders:read`,
      `${issuer} orders:read`,
    ]);
  });

  it('is refused if a configured name matches several servers', async () => {
    world.server.org.addServer(API);
    await expect(directoryOf().readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_INCOMPLETE',
      retriable: false,
    });
  });

  it('is nothing at a deleted server, which is logged once', async () => {
    const warnings: unknown[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    rule(['ALL_CLIENTS'], {});
    world.server.org.addServer('api://default');
    const client = app();
    const directory = directoryOf({ logger });
    expect((await directory.read('clientId', client.id, signal))?.grants).toHaveLength(2);
    world.server.org.deleteServer(world.mesh.id);
    for (let times = 0; times < 2; times++)
      expect((await directory.read('clientId', client.id, signal))?.grants).toEqual([]);
    expect(warnings).toEqual([{ provider: 'main', api: API }]);
  });

  it('of Okta itself is what an administrator granted, if the org is one of the APIs', async () => {
    const org = world.server.address;
    const client = world.server.org.addApp({ orgScopes: ['okta.users.read', 'okta.groups.manage'] });
    expect(await grantsOf(client.id)).toEqual([]);
    const directory = directoryOf({ apis: [API, org] });
    const read = await directory.read('clientId', client.id, signal);
    expect(read?.grants).toEqual([
      { api: org, name: 'okta.groups.manage' },
      { api: org, name: 'okta.users.read' },
    ]);
    expect(read?.accessTokenLifetimeSeconds).toBe(3600);
    const { clients } = await directory.readAll(signal);
    expect(clients.find(({ clientId }) => clientId === client.id)).toEqual(read);
  });

  it('of Okta itself is left out with its app, if that is deleted before its grants are read', async () => {
    const directory = directoryOf({ apis: [API, world.server.address] });
    const [gone, kept] = ['okta.users.read', 'okta.groups.manage'].map((scope) =>
      world.server.org.addApp({ orgScopes: [scope] }),
    );
    world.server.fault = ({ pathname }, response) => {
      if (pathname !== `/api/v1/apps/${gone?.id}/grants`) return false;
      world.server.org.deleteApp(gone?.id ?? '');
      const body = JSON.stringify({ errorCode: 'E0000007' });
      response.writeHead(404, { 'content-type': 'application/json' }).end(body);
      return true;
    };
    const { clients, unreadable } = await directory.readAll(signal);
    const ids = clients.map(({ clientId }) => clientId);
    expect(ids).toContain(kept?.id);
    expect(ids).not.toContain(gone?.id);
    expect(unreadable).toEqual([]);
  });

  it('of Okta itself is refused if no grants are in the list, those of scopemesh neither', async () => {
    const directory = directoryOf({ apis: [API, world.server.address] });
    const client = world.server.org.addApp({ orgScopes: ['okta.users.read'] });
    const empty = (isHit: (path: string) => boolean) => {
      world.server.fault = ({ pathname }, response) => {
        if (!pathname.endsWith('/grants') || !isHit(pathname)) return false;
        response.writeHead(200, { 'content-type': 'application/json' }).end('[]');
        return true;
      };
    };
    const refused = { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true };
    empty(() => true);
    await expect(directory.readAll(signal)).rejects.toMatchObject(refused);
    await expect(directory.read('clientId', client.id, signal)).rejects.toMatchObject(refused);
    empty((path) => path.includes(client.id));
    expect((await directory.read('clientId', client.id, signal))?.grants).toEqual([]);
    for (let at = 0; at < 5; at++) world.server.org.addApp();
    const before = world.server.requests.length;
    const { clients } = await directory.readAll(signal);
    const ofGrants = world.server.requests.slice(before).filter((line) => line.includes('/grants'));
    expect(ofGrants).toHaveLength(clients.length + 1);
  });
});
