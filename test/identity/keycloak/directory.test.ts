import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import { IncompleteRead, SyncError } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import {
  createKeycloakDirectory,
  type KeycloakDirectoryOptions,
} from '../../../src/identity/keycloak/directory.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { FakeKeycloak, type Fault, json } from './fake-keycloak.js';

const signal = new AbortController().signal;
const SECRET = 'the-client-secret-of-scopemesh';

describe('the Keycloak directory', () => {
  let keycloak: FakeKeycloak;
  let directory: Directory;
  let nowMs = Date.parse('2026-11-25T00:00:00Z');
  const clock: Clock = { now: () => nowMs, sleep: async () => {} };

  const open = (options: Partial<KeycloakDirectoryOptions> = {}) =>
    createKeycloakDirectory({
      provider: 'main',
      issuer: keycloak.issuer,
      clientId: 'scopemesh',
      clientSecret: new Secret(SECRET),
      serviceAccountRoles: false,
      pageSize: 4,
      timeoutMs: 2000,
      clock,
      logger: silentLogger,
      metrics: noMetrics,
      ...options,
    });

  beforeEach(async () => {
    keycloak = await new FakeKeycloak().start();
    for (let at = 0; at < 10; at++) keycloak.add(`svc-${at}`);
    directory = open();
  });
  afterEach(async () => {
    await directory.close();
    await keycloak.stop();
  });

  const ids = async () => (await directory.readAll(signal)).clients.map((client) => client.clientId);
  const failure = async (promise: Promise<unknown>): Promise<SyncError> => {
    const error = await promise.then(
      () => new Error('it succeeded'),
      (reason: unknown) => reason,
    );
    if (!(error instanceof SyncError)) throw error;
    return error;
  };
  const onPath = (part: string, fault: Fault): void => {
    keycloak.fault = (url, ...rest) => (url.pathname + url.search).includes(part) && fault(url, ...rest);
  };

  describe('says what the token may read, by the names of the roles', () => {
    const granted = async (which = directory) =>
      Object.fromEntries(
        ((await which.checkAccess?.(signal)) ?? []).map(({ permission, isGranted, forGroupsOnly }) => [
          permission.replace('realm-management/', ''),
          forGroupsOnly === true ? [isGranted] : isGranted,
        ]),
      );
    const without = (...kinds: readonly string[]) => {
      keycloak.fault = (url, response) => {
        const [, , , , kind = ''] = url.pathname.split('/');
        if (!url.pathname.startsWith('/admin/')) return false;
        const isAccount = kind === 'users' || url.pathname.endsWith('/service-account-user');
        if (isAccount && !kinds.includes(kind)) json(response, 200, { id: 'of-scopemesh' });
        else if (kinds.includes(kind)) json(response, 403, { error: 'HTTP 403 Forbidden' });
        else return false;
        return true;
      };
    };

    it('where it may read everything', async () => {
      without();
      const everything = { 'view-clients': true, 'view-realm': true, 'view-events': true };
      expect(await granted()).toEqual({ ...everything, 'view-users': [true] });
      const withRoles = open({ serviceAccountRoles: true });
      expect(await granted(withRoles)).toEqual({ ...everything, 'view-users': true });
      await withRoles.close();
    });

    it('where it is refused, or sees less', async () => {
      without('admin-events', 'users');
      keycloak.realmFields = { realm: 'main' };
      keycloak.remove('realm-management');
      expect(await granted()).toEqual({
        'view-clients': false,
        'view-realm': false,
        'view-events': false,
        'view-users': [false],
      });
    });

    it('not where it cannot be asked', async () => {
      onPath('/admin/', (_url, response) => {
        json(response, 503, {});
        return true;
      });
      expect(await failure(granted())).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    });
  });

  it('reads every page and then one that holds only the last client again', async () => {
    const clients = await ids();
    expect(clients).toHaveLength(13);
    expect(keycloak.requests.filter((request) => request.includes('first='))).toEqual(
      [0, 3, 6, 9, 12].map((first) => `GET /admin/realms/main/clients?first=${first}&max=4`),
    );
  });

  it('reads again when a client is deleted between two pages, and misses nobody', async () => {
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

  it('reads again when a client is added between two pages, and shows nobody twice', async () => {
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

  it('calls the read incomplete when the list changes during every attempt', async () => {
    let round = 0;
    onPath('first=6', () => {
      keycloak.add(`a-${round++}`);
      return false;
    });
    expect(await failure(directory.readAll(signal))).toBeInstanceOf(IncompleteRead);
    expect(round).toBe(3);
  });

  const incomplete: readonly (readonly [string, string, Fault])[] = [
    ['a later page is a copy of the first', 'first=3', (_, response) => page(response, 0)],
    [
      'a later page begins rightly and then repeats what was there',
      'first=3',
      (_, response) =>
        sent(() =>
          json(
            response,
            200,
            [3, 0, 1].map((at) => keycloak.clients[at]),
          ),
        ),
    ],
    [
      'a client does not say whether it is enabled',
      'first=0',
      (_, response) =>
        sent(() =>
          json(
            response,
            200,
            keycloak.clients.slice(0, 4).map(({ enabled: _hidden, ...rest }) => rest),
          ),
        ),
    ],
    [
      'the discovery document is cut off',
      'openid-configuration',
      (_, response) => sent(() => cutOff(response)),
    ],
    ['the token is cut off', '/token', (_, response) => sent(() => cutOff(response))],
    ['a later page is empty', 'first=3', (_, response) => sent(() => json(response, 200, []))],
    [
      'every page is the whole list',
      'first=',
      (_, response) => sent(() => json(response, 200, keycloak.clients)),
    ],
    ['the list is no list', 'first=0', (_, response) => sent(() => json(response, 200, { clients: [] }))],
    ['the list is null', 'first=0', (_, response) => sent(() => json(response, 200, null))],
    ['the list is empty', '/clients', (_, response) => sent(() => json(response, 200, []))],
    ['the JSON stops in the middle', 'first=3', (_, response) => sent(() => response.end('[{"id":"x"'))],
    ['the page is HTML', 'first=3', (_, response) => sent(() => response.end('<html>maintenance</html>'))],
    [
      'a page is not found',
      'first=3',
      (_, response) => sent(() => response.writeHead(404).end('nothing here')),
    ],
    [
      'a page redirects',
      'first=3',
      (_, response) => sent(() => response.writeHead(302, { location: '/' }).end()),
    ],
    ['the client scopes are hidden', 'client-scopes', (_, response) => sent(() => json(response, 200, []))],
    ['the connection ends within a page', 'first=3', (_, response) => sent(() => cutOff(response))],
    [
      'clients are shown by their ids only',
      'first=',
      (_, response) =>
        sent(() =>
          json(
            response,
            200,
            keycloak.clients.slice(0, 1).map(({ id, clientId }) => ({ id, clientId })),
          ),
        ),
    ],
  ];
  it.each(incomplete)('calls the read incomplete when %s', async (_, part, fault) => {
    onPath(part, fault);
    const error = await failure(directory.readAll(signal));
    expect(error).toBeInstanceOf(IncompleteRead);
    expect(error.code).toBe('ERR_DIRECTORY_INCOMPLETE');
  });

  it('says so when a server heeds no page size', async () => {
    onPath('first=', (_, response) => sent(() => json(response, 200, keycloak.clients)));
    expect(await failure(directory.readAll(signal))).toMatchObject({ retriable: false });
    expect(keycloak.count('first=')).toBe(1);
  });

  it.each(['scopemesh', 'realm-management'])(
    'calls a list without %s incomplete and says what to grant',
    async (hidden) => {
      keycloak.remove(hidden);
      const error = await failure(directory.readAll(signal));
      expect(error).toBeInstanceOf(IncompleteRead);
      expect(error.message).toContain('view-clients');
      expect(error.retriable).toBe(false);
    },
  );

  const refused: readonly (readonly [number, string, boolean])[] = [
    [500, 'ERR_DIRECTORY_UNREACHABLE', true],
    [503, 'ERR_DIRECTORY_UNREACHABLE', true],
    [403, 'ERR_DIRECTORY_DENIED', false],
    [401, 'ERR_DIRECTORY_DENIED', false],
    [429, 'ERR_DIRECTORY_RATE_LIMITED', true],
  ];
  it.each(refused)('translates a second page answered with %i to %s', async (status, code, retriable) => {
    onPath('first=3', (_, response) =>
      sent(() => response.writeHead(status, { 'retry-after': '7' }).end('{}')),
    );
    const error = await failure(directory.readAll(signal));
    expect(error).toMatchObject({ code, retriable });
    if (status === 429) expect(error.retryAfterMs).toBe(7000);
  });

  it('gives up on an answer that does not end', async () => {
    await directory.close();
    directory = open({ timeoutMs: 150 });
    onPath('first=3', (_, response) => sent(() => response.writeHead(200).write('[')));
    expect(await failure(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });

  it('calls a server that is gone unreachable', async () => {
    await keycloak.stop();
    expect(await failure(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    await keycloak.start();
  });

  it('takes a client for absent only if Keycloak itself says so and would have shown it', async () => {
    const absent = '5cc257c9-81f6-4900-9913-868a79dc25ab';
    expect(await directory.read('internalId', absent, signal)).toBeUndefined();
    expect(await directory.read('clientId', 'nobody', signal)).toBeUndefined();

    keycloak.scopes = [];
    expect(await failure(directory.read('internalId', absent, signal))).toBeInstanceOf(IncompleteRead);
    expect(await failure(directory.read('clientId', 'nobody', signal))).toBeInstanceOf(IncompleteRead);
  });

  const notAbsent: readonly (readonly [string, Fault])[] = [
    ['a proxy finds nothing', (_, response) => sent(() => response.writeHead(404).end('not found'))],
    [
      'a proxy finds nothing, in JSON',
      (_, response) => sent(() => json(response, 404, { error: 'not_found' })),
    ],
    ['the realm is missing', (_, response) => sent(() => json(response, 404, { error: 'Realm not found.' }))],
    ['the body is missing', (_, response) => sent(() => response.writeHead(404).end())],
    ['another client comes', (_, response) => sent(() => json(response, 200, keycloak.clients[0]))],
    ['an empty object comes', (_, response) => sent(() => json(response, 200, {}))],
  ];
  it.each(notAbsent)('does not take a client for absent when %s', async (_, fault) => {
    onPath('/clients/', fault);
    const reading = directory.read('internalId', '5cc257c9-81f6-4900-9913-868a79dc25ab', signal);
    expect(await failure(reading)).toBeInstanceOf(IncompleteRead);
  });

  it('does not take a client for absent when the token sees no client at all', async () => {
    onPath('/clients?', (_, response) => sent(() => json(response, 200, [])));
    const error = await failure(directory.read('clientId', 'svc-1', signal));
    expect(error).toBeInstanceOf(IncompleteRead);
    expect(error.message).toContain('view-clients');
  });

  it('does not believe a search that finds strangers', async () => {
    onPath('/clients?', (_, response) => sent(() => json(response, 200, keycloak.clients)));
    expect(await failure(directory.read('clientId', 'nobody', signal))).toBeInstanceOf(IncompleteRead);
  });

  it('asks for no address that an id of a key could bend', async () => {
    for (const id of ['../users', 'a/b', '..', '', 'a?b', 'x'.repeat(37)]) {
      expect(await failure(directory.read('internalId', id, signal)), id).toBeInstanceOf(IncompleteRead);
    }
    expect(keycloak.count('/clients/')).toBe(0);
  });

  it('maps flags, lifetimes and attributes, and skips what is no OAuth client', async () => {
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
        'urn:openid:params:grant-type:ciba',
      ],
      grants: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
      accessTokenLifetimeSeconds: 60,
      attributes: {
        'access.token.lifespan': '60',
        actor: 'agent',
        'oauth2.device.authorization.grant.enabled': 'true',
        'oidc.ciba.grant.enabled': 'true',
        'client.secret.creation.time': '1795560657',
      },
    });
  });

  it('does without the lifespan of the realm where the token may not see it, and says so once', async () => {
    await directory.close();
    const warn = vi.fn();
    directory = open({ logger: { ...silentLogger, warn } });
    keycloak.realmFields = { realm: 'main' };
    const { clients } = await directory.readAll(signal);
    await directory.readAll(signal);
    expect(clients[0]).not.toHaveProperty('accessTokenLifetimeSeconds');
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('keeps no secret, neither in what it returns nor in its errors', async () => {
    const texts: string[] = [JSON.stringify(await directory.readAll(signal))];
    onPath('first=3', (_, response) =>
      sent(() => response.end(`[{"id":"x","secret":"never-keep-this","token":"token-1",`)),
    );
    texts.push(everything(await failure(directory.readAll(signal))));
    onPath('/token', (_, response) =>
      sent(() => json(response, 401, { error: 'invalid_client', error_description: SECRET })),
    );
    await directory.close();
    directory = open();
    const denied = await failure(directory.readAll(signal));
    expect(denied).toMatchObject({ code: 'ERR_DIRECTORY_DENIED', retriable: false });
    texts.push(everything(denied));
    for (const text of texts) expect(text).not.toMatch(/never-keep-this|token-1|the-client-secret/);
  });

  describe('and its access token', () => {
    it('is asked for once by reads that start together, and kept', async () => {
      await Promise.all([
        directory.readAll(signal),
        directory.readAll(signal),
        directory.read('clientId', 'svc-1', signal),
      ]);
      await directory.readAll(signal);
      expect(keycloak.tokens).toBe(1);
    });

    it('is renewed before it expires', async () => {
      await directory.readAll(signal);
      nowMs += 269_000;
      await directory.readAll(signal);
      expect(keycloak.tokens).toBe(1);
      nowMs += 2_000;
      await directory.readAll(signal);
      expect(keycloak.tokens).toBe(2);
    });

    it('is got anew once when the Admin API refuses it, and the read goes on', async () => {
      await directory.readAll(signal);
      keycloak.tokens++; // Someone ended all sessions.
      expect(await ids()).toHaveLength(13);
      expect(keycloak.tokens).toBe(3);
    });

    it('is not asked for again and again when the Admin API refuses every one', async () => {
      onPath('/admin/', (_, response) => sent(() => json(response, 401, {})));
      expect(await failure(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
      expect(keycloak.tokens).toBe(2);
    });

    it('is asked for again after a failure', async () => {
      onPath('/token', (_, response) => sent(() => response.writeHead(503).end()));
      expect(await failure(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
      keycloak.fault = () => false;
      expect(await ids()).toHaveLength(13);
    });

    it('survives that the read which asked for it is aborted', async () => {
      const stopping = new AbortController();
      onPath('/token', () => {
        stopping.abort(new Error('stopping'));
        return false;
      });
      const aborted = directory.readAll(stopping.signal);
      const other = directory.readAll(signal);
      await expect(aborted).rejects.toThrow('stopping');
      expect((await other).clients).toHaveLength(13);
      expect(keycloak.tokens).toBe(1);
    });

    it('comes only from the issuer that was configured', async () => {
      onPath('openid-configuration', (_, response) =>
        sent(() =>
          json(response, 200, {
            issuer: 'https://other.example/realms/main',
            token_endpoint: keycloak.address,
          }),
        ),
      );
      const error = await failure(directory.readAll(signal));
      expect(error).toMatchObject({ code: 'ERR_CONFIG' });
      expect(keycloak.tokens).toBe(0);
    });
  });

  it('refuses plain http to another machine unless that is allowed', () => {
    const issuer = 'http://sso.example.com/realms/main';
    expect(() => open({ issuer })).toThrow(/https/);
    expect(() => open({ issuer, insecure: true })).not.toThrow();
    expect(() => open({ issuer: 'https://sso.example.com/main' })).toThrow(/realms/);
    expect(() => open({ issuer: 'https://sso.example.com/realms/%zz' })).toThrow(SyncError);
    expect(() => open({ issuer: 'https://me:pw@sso.example.com/realms/main' })).toThrow(/user name/);
  });

  function page(response: Parameters<Fault>[1], first: number): boolean {
    return sent(() => json(response, 200, keycloak.clients.slice(first, first + 4)));
  }
});

function sent(send: () => unknown): boolean {
  send();
  return true;
}

function cutOff(response: Parameters<Fault>[1]): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' });
  response.write('[', () => response.destroy());
}

function everything(error: SyncError): string {
  const cause = error.cause instanceof Error ? `${error.cause.message} ${error.cause.stack}` : '';
  return `${error.message} ${error.stack} ${cause} ${JSON.stringify(error)}`;
}
