import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OktaOptions } from '../../../src/identity/okta/okta.js';
import { Secret } from '../../../src/model/secret.js';
import type { Fault } from '../../support/okta/server.js';
import { API, type OktaWorld, startOktaWorld } from '../../support/okta/world.js';

const signal = new AbortController().signal;
let world: OktaWorld;

beforeEach(async () => {
  world = await startOktaWorld();
});
afterEach(() => world.stop());

const directoryOf = (options: Partial<OktaOptions> = {}) => world.open(options).directory;

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}, path = '/api/v1/apps'): Fault =>
  (url, response) => {
    if (url.pathname !== path) return false;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
    return true;
  };

describe('an app', () => {
  it('shows its label, its type, and the texts of its profile', async () => {
    const { id } = world.server.org.addApp({
      label: 'Web shop',
      applicationType: 'web',
      profile: {
        'consul-services': ['web', 'shop'],
        actor: 'agent',
        tier: 2,
        nested: { a: 1 },
        label: 'another',
        client_secret: 'x',
      },
    });
    expect(await directoryOf().read('clientId', id, signal)).toMatchObject({
      name: 'Web shop',
      internalId: id,
      attributes: {
        'consul-services': 'web,shop',
        actor: 'agent',
        tier: '2',
        label: 'Web shop',
        application_type: 'web',
      },
    });
    const { attributes } = (await directoryOf().read('internalId', id, signal)) ?? {};
    expect(Object.keys(attributes ?? {}).sort()).toEqual([
      'actor',
      'application_type',
      'consul-services',
      'label',
      'tier',
    ]);
  });

  it.each([
    ['ACTIVE', true],
    ['INACTIVE', false],
    ['DELETED', false],
  ] as const)('is enabled only where its status is ACTIVE: %s', async (status, enabled) => {
    const { id } = world.server.org.addApp({ status });
    expect(await directoryOf().read('clientId', id, signal)).toMatchObject({ enabled });
  });

  it('that is no OAuth client is not shown, in single and complete reads', async () => {
    const console = world.server.org.shown.apps.find(({ clientId }) => clientId === undefined);
    const directory = directoryOf();
    expect(await directory.read('internalId', console?.id ?? '', signal)).toBeUndefined();
    const { clients } = await directory.readAll(signal);
    expect(clients.map(({ clientId }) => clientId)).toEqual([world.server.reader.id]);
  });

  it("of Okta's own or of its catalog may show less than one that an administrator made, and then opens nothing", async () => {
    const shown = { label: 'x', status: 'ACTIVE', signOnMode: 'OPENID_CONNECT' };
    const own = { ...shown, id: '0oaown', name: 'okta_enduser' };
    const bare = { ...shown, id: '0oabare', name: 'okta_browser_plugin' };
    const client = { ...own, credentials: { oauthClient: { client_id: 'okta.2b19' } } };
    const reader = {
      ...shown,
      id: world.server.reader.id,
      name: 'oidc_client',
      credentials: { oauthClient: { client_id: world.server.reader.id } },
      settings: { oauthClient: { grant_types: ['client_credentials'] } },
    };
    world.server.fault = json(200, [reader, client, bare]);
    const { clients } = await directoryOf().readAll(signal);
    expect(clients.map(({ clientId, grantTypes, grants }) => [clientId, grantTypes, grants])).toEqual([
      [world.server.reader.id, ['client_credentials'], []],
      ['okta.2b19', [], []],
    ]);
  });

  it('is found by one request if its client ID is its ID, and by the list otherwise', async () => {
    const app = world.server.org.addApp();
    world.server.org.addApp({ clientId: 'chosen' });
    const directory = directoryOf();
    await directory.read('clientId', app.id, signal);
    expect(world.server.count('/api/v1/apps')).toBe(1);
    expect(await directory.read('clientId', 'chosen', signal)).toMatchObject({ clientId: 'chosen' });
    const before = world.server.count('/api/v1/apps?');
    await directory.read('clientId', 'chosen', signal);
    expect(world.server.count('/api/v1/apps?')).toBe(before);
  });
});

describe('a read of all apps', () => {
  it('reads pages of 200, follows their links, and counts its requests', async () => {
    for (let at = 0; at < 25; at++) world.server.org.addApp();
    world.server.pageLimit = 10;
    const { clients, requests } = await directoryOf().readAll(signal);
    expect(clients).toHaveLength(26);
    expect(world.server.count('/api/v1/apps?limit=200')).toBe(3);
    expect(requests).toBe(world.server.count(' /api/v1/'));
  });

  const elsewhere = (target: string): Fault => {
    const headers = { link: `<${target}>; rel="next"` };
    return json(200, [], headers);
  };

  it.each<[string, () => Fault, string]>([
    ['answers 500', () => json(500, {}), 'ERR_DIRECTORY_UNREACHABLE'],
    ['answers 401 to a new token too', () => json(401, {}), 'ERR_DIRECTORY_DENIED'],
    ['answers 403', () => json(403, {}), 'ERR_DIRECTORY_DENIED'],
    ['is no list', () => json(200, { apps: [] }), 'ERR_DIRECTORY_INCOMPLETE'],
    ['is half a document', () => json(200, '[{"id":"0oa1","la'), 'ERR_DIRECTORY_INCOMPLETE'],
    [
      'holds an app without an id',
      () => json(200, [{ name: 'x', label: 'x', status: 'ACTIVE' }]),
      'ERR_DIRECTORY_INCOMPLETE',
    ],
    [
      'holds an OpenID Connect app without a client id',
      () =>
        json(200, [
          { id: '0oa1', name: 'oidc_client', label: 'x', status: 'ACTIVE', signOnMode: 'OPENID_CONNECT' },
        ]),
      'ERR_DIRECTORY_INCOMPLETE',
    ],
    ['is empty', () => json(200, []), 'ERR_DIRECTORY_INCOMPLETE'],
    [
      'leads to another host',
      () => elsewhere('https://evil.example/api/v1/apps?after=1'),
      'ERR_DIRECTORY_INCOMPLETE',
    ],
    ['leads to another list', () => elsewhere('/api/v1/users?after=1'), 'ERR_DIRECTORY_INCOMPLETE'],
    [
      'leads back to itself',
      () => elsewhere(`${world.server.address}/api/v1/apps?limit=200`),
      'ERR_DIRECTORY_INCOMPLETE',
    ],
    ['is moved', () => json(302, {}, { location: 'https://evil.example/' }), 'ERR_DIRECTORY_INCOMPLETE'],
  ])('is refused as a whole if the answer %s', async (_, fault, code) => {
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.fault = fault();
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code });
    world.server.fault = () => false;
    await expect(directory.readAll(signal)).resolves.toBeDefined();
  });

  it('is refused if a page repeats an app', async () => {
    for (let at = 0; at < 3; at++) world.server.org.addApp();
    world.server.pageLimit = 3;
    world.server.fault = (url) => {
      // The cursor is lost on the way: every page begins at the start.
      if (url.searchParams.has('after')) url.searchParams.delete('after');
      return false;
    };
    await expect(directoryOf().readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  it('is refused if the app of scopemesh is not in the list, as with a role for some apps', async () => {
    const app = world.server.org.addApp();
    const directory = directoryOf();
    const seen = (await directory.read('clientId', app.id, signal)) !== undefined;
    expect(seen).toBe(true);
    world.server.fault = json(200, [
      { id: '0oaother', name: 'saasure', label: 'x', status: 'ACTIVE', signOnMode: 'SAML_2_0' },
    ]);
    await expect(directory.readAll(signal)).rejects.toThrow(/Read-Only Administrator/);
  });

  it('is refused if no authorization server is in the list, as with a role without any', async () => {
    const app = world.server.org.addApp();
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.fault = json(200, [], {}, '/api/v1/authorizationServers');
    await expect(directory.readAll(signal)).rejects.toThrow(/Read-Only Administrator/);
    await expect(directory.read('clientId', app.id, signal)).rejects.toThrow(/Read-Only Administrator/);
  });

  it('is refused if one authorization server cannot be read', async () => {
    const path = `/api/v1/authorizationServers/${world.mesh.id}/policies`;
    world.server.fault = json(503, {}, {}, path);
    await expect(directoryOf().readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });
});

describe('an app that is not found', () => {
  it('is deleted only if Okta itself says so', async () => {
    const app = world.server.org.addApp();
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.fault = json(404, { error: 'no route' }, {}, `/api/v1/apps/${app.id}`);
    await expect(directory.read('clientId', app.id, signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_INCOMPLETE',
    });
    world.server.fault = () => false;
    world.server.org.deleteApp(app.id);
    const before = world.server.requests.length;
    expect(await directory.read('clientId', app.id, signal)).toBeUndefined();
    // The app, which is not there, and the app that reads, which is.
    expect(world.server.requests.length - before).toBe(2);
    expect(await directory.read('internalId', app.id, signal)).toBeUndefined();
  });

  it('is not deleted if the app of scopemesh is not found either', async () => {
    const app = world.server.org.addApp();
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.fault = (url, response) => {
      const isOne = /^\/api\/v1\/apps\/./.test(url.pathname);
      const body = isOne ? { errorCode: 'E0000007' } : [];
      if (!url.pathname.startsWith('/api/v1/apps')) return false;
      response.writeHead(isOne ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return true;
    };
    await expect(directory.read('clientId', app.id, signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_INCOMPLETE',
    });
  });

  it('is shown in its old state while Okta returns that, and in its new state afterwards', async () => {
    const app = world.addClient({}, ['orders:read']);
    const directory = directoryOf();
    world.server.org.lag();
    world.server.org.setStatus(app.id, 'INACTIVE');
    expect(await directory.read('clientId', app.id, signal)).toMatchObject({ enabled: true });
    world.server.org.catchUp();
    expect(await directory.read('clientId', app.id, signal)).toMatchObject({ enabled: false });
  });
});

describe('a client ID that two apps have, because one was created again between two pages', () => {
  it('is unreadable, and every other client is read', async () => {
    const other = world.addClient({}, ['orders:read']);
    world.addClient({ clientId: 'web' }, ['orders:read']);
    world.addClient({ clientId: 'web' }, ['orders:read']);
    const { clients, unreadable } = await directoryOf().readAll(signal);
    expect(unreadable).toEqual([{ clientId: 'web', why: 'two apps have this client id' }]);
    const ids = clients.map(({ clientId }) => clientId);
    expect(ids).toContain(other.id);
    expect(ids).not.toContain('web');
  });

  it('is unreadable although the list is read again meanwhile, for an app that is gone, and has it once', async () => {
    const [, two] = [1, 2].map(() => world.addClient({ clientId: 'web' }, ['orders:read']));
    const gone = world.server.org.addApp({ clientId: 'chosen', orgScopes: ['okta.users.read'] });
    let isGone = false;
    world.server.fault = ({ pathname }, response) => {
      if (pathname !== `/api/v1/apps/${gone.id}/grants`) return false;
      if (!isGone) for (const id of [gone.id, two?.id ?? '']) world.server.org.deleteApp(id);
      isGone = true;
      const body = JSON.stringify({ errorCode: 'E0000007' });
      response.writeHead(404, { 'content-type': 'application/json' }).end(body);
      return true;
    };
    const { clients, unreadable } = await directoryOf({ apis: [API, world.server.address] }).readAll(signal);
    expect(isGone).toBe(true);
    expect(unreadable).toEqual([{ clientId: 'web', why: 'two apps have this client id' }]);
    expect(clients.map(({ clientId }) => clientId)).not.toContain('chosen');
  });

  it('is unreadable in reads of one client too, by every key, until one of the apps is gone', async () => {
    const [one, two] = [1, 2].map(() => world.addClient({ clientId: 'web' }, ['orders:read']));
    const directory = directoryOf();
    const unreadable = { code: 'ERR_CLIENT_UNREADABLE' };
    await expect(directory.read('clientId', 'web', signal)).rejects.toMatchObject(unreadable);
    await directory.readAll(signal);
    await expect(directory.read('clientId', 'web', signal)).rejects.toMatchObject(unreadable);
    await expect(directory.read('internalId', one?.id ?? '', signal)).rejects.toMatchObject(unreadable);
    world.server.org.deleteApp(two?.id ?? '');
    expect(await directory.read('internalId', one?.id ?? '', signal)).toMatchObject({ clientId: 'web' });
  });
});

describe('many reads at once', () => {
  it('share one read of the policies, and none gets an answer older than its request', async () => {
    const apps = Array.from({ length: 20 }, () => world.addClient({}, ['orders:read']));
    const directory = directoryOf();
    const before = world.server.count('/policies?') + world.server.count('/policies ');
    expect(before).toBe(0);
    const first = Promise.all(apps.map(({ id }) => directory.read('clientId', id, signal)));
    for (const app of apps) world.setScopes(app.id, ['orders:write']);
    const second = Promise.all(apps.map(({ id }) => directory.read('clientId', id, signal)));
    await first;
    for (const client of await second) expect(client?.grants).toEqual([{ api: API, name: 'orders:write' }]);
    const reads = world.server.requests.filter((line) => line.endsWith(`/${world.mesh.id}/policies`)).length;
    expect(reads).toBeLessThan(apps.length / 2);
  });
});

describe('an API token', () => {
  it('can read too, without OAuth', async () => {
    const app = world.addClient({}, ['orders:read']);
    const directory = directoryOf({ credentials: { apiToken: new Secret(world.server.apiToken) } });
    const { clients } = await directory.readAll(signal);
    expect(clients.find(({ clientId }) => clientId === app.id)?.grants).toEqual([
      { api: API, name: 'orders:read' },
    ]);
    expect(world.server.tokens.asked).toEqual([]);
  });

  it('that Okta does not know is denied', async () => {
    const directory = directoryOf({ credentials: { apiToken: new Secret('wrong') } });
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
  });
});
