import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import { API, type Auth0, READER, startAuth0 } from '../../support/auth0/auth0.js';
import type { Answer } from '../../support/auth0/server.js';
import { openAuth0 } from './open.js';

const signal = new AbortController().signal;
let tenant: Auth0;
let directory: Directory;
beforeEach(async () => {
  tenant = await startAuth0();
  tenant.addApi(API, ['read:orders', 'write:orders'], 3600);
  directory = openAuth0(tenant).directory;
});
afterEach(async () => {
  await directory.close();
  await tenant.close();
});

const all = async () =>
  new Map((await directory.readAll(signal)).clients.map((each) => [each.clientId, each]));

describe('what an Auth0 application may obtain', () => {
  it('is the scopes of its grants at the configured APIs, under their identifiers', async () => {
    tenant.addApi('https://other.example.com', ['read:orders']);
    tenant.addClient('app');
    tenant.grant('app', ['read:orders']);
    tenant.grant('app', ['read:orders'], 'https://other.example.com');
    expect((await all()).get('app')?.grants).toEqual([{ api: API, name: 'read:orders' }]);
  });

  it('is never the grant of another application', async () => {
    tenant.addClient('app');
    tenant.addClient('App');
    tenant.grant('App', ['read:orders']);
    expect((await all()).get('app')?.grants).toEqual([]);
    expect((await directory.read('clientId', 'app', signal))?.grants).toEqual([]);
  });

  it('is nothing if its grant types do not fit the grant, or if the API denies it to all', async () => {
    const grantTypes: Record<string, readonly string[]> = {
      machine: ['client_credentials'],
      website: ['authorization_code', 'refresh_token'],
    };
    for (const [id, grant_types] of Object.entries(grantTypes)) {
      tenant.addClient(id, { grant_types });
      tenant.grant(id, ['read:orders']);
    }
    const obtained = async () =>
      Object.fromEntries(
        [...(await all())].flatMap(([id, { grants }]) => (id in grantTypes ? [[id, grants.length]] : [])),
      );
    expect(await obtained()).toEqual({ machine: 1, website: 0 });
    const own = { id: 'rs_0', identifier: `${tenant.origin}/api/v2/` };
    const api = (policy: string) => ({
      id: 'rs_1',
      identifier: API,
      scopes: [{ value: 'read:orders' }],
      subject_type_authorization: { client: { policy }, user: { policy: 'allow_all' } },
    });
    const show = (policy: string) => {
      tenant.fault = ({ segments }) =>
        segments[0] === 'resource-servers'
          ? { json: { resource_servers: [own, api(policy)], total: 2 } }
          : undefined;
    };
    show('require_client_grant');
    expect(await obtained()).toEqual({ machine: 1, website: 0 });
    show('deny_all');
    expect(await obtained()).toEqual({ machine: 0, website: 0 });
  });

  it("is a user's scopes only where users can come in: a refresh token alone signs nobody in", async () => {
    const grantTypes: Record<string, readonly string[]> = {
      website: ['authorization_code', 'refresh_token'],
      leftover: ['refresh_token'],
      machine: ['client_credentials', 'refresh_token'],
    };
    for (const [id, grant_types] of Object.entries(grantTypes)) {
      tenant.addClient(id, { grant_types });
      tenant.grant(id, ['read:orders'], API, 'user');
      const held = { website: 1 }[id] ?? 0;
      expect((await all()).get(id)?.grants, id).toHaveLength(held);
      expect((await directory.read('clientId', id, signal))?.grants, id).toHaveLength(held);
    }
  });

  it('is no scope that the API no longer has, even if the grant still names it', async () => {
    tenant.addClient('app');
    tenant.grant('app', ['read:orders', 'write:orders']);
    tenant.changeApi(API, ['read:orders']);
    expect((await all()).get('app')?.grants).toEqual([{ api: API, name: 'read:orders' }]);
    expect((await directory.read('clientId', 'app', signal))?.grants).toHaveLength(1);
  });

  it('has the shortest lifetime of its APIs', async () => {
    const [short, long] = ['https://short.example.com', 'https://long.example.com'];
    tenant.addApi(short, ['a'], 600);
    tenant.addApi(long, ['a'], 86_400);
    tenant.addClient('app');
    tenant.grant('app', ['a'], short);
    tenant.grant('app', ['a'], long);
    await directory.close();
    directory = openAuth0(tenant, { apis: [short, long] }).directory;
    expect((await all()).get('app')?.accessTokenLifetimeSeconds).toBe(600);
  });

  it('is read without secrets', async () => {
    tenant.addClient('app');
    await all();
    await directory.read('clientId', 'app', signal);
    const reads = tenant.asked.filter(({ segments }) => segments[0] === 'clients');
    expect(reads.length).toBeGreaterThan(1);
    for (const { query } of reads) {
      expect(query.get('include_fields')).toBe('true');
      expect(query.get('fields')).not.toMatch(/secret|key/);
    }
  });
});

describe('a read of an Auth0 tenant is refused as a whole', () => {
  const refusal = async () => directory.readAll(signal).catch((error: unknown) => error);

  it('if the application of scopemesh is not in the list', async () => {
    tenant.changeClient(READER.clientId, undefined);
    tenant.addClient('app');
    expect(await refusal()).toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true });
  });

  const shown = (clientIds: readonly string[]) => {
    const grants = clientIds.map((client_id, at) => ({
      id: `cgr_shown_${at}`,
      client_id,
      audience: client_id === READER.clientId ? `${tenant.origin}/api/v2/` : API,
      scope: ['read:orders'],
    }));
    tenant.fault = ({ segments, query }) => {
      const asked = query.get('client_id');
      const client_grants = grants.filter(({ client_id }) => asked === null || client_id === asked);
      return segments[0] === 'client-grants' ? { json: { client_grants } } : undefined;
    };
  };
  const incomplete = { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true };

  it('if the list of client grants lacks the one by which scopemesh reads', async () => {
    tenant.addClient('app');
    tenant.grant('app', ['read:orders']);
    for (const clientIds of [[], ['app']]) {
      shown(clientIds);
      expect(await refusal()).toMatchObject(incomplete);
    }
    shown([READER.clientId]);
    expect((await all()).get('app')?.grants).toEqual([]);
  });

  it('also for a single client without grants if the grant of scopemesh is not found either', async () => {
    tenant.addClient('app');
    tenant.grant('app', ['read:orders']);
    shown([]);
    await expect(directory.read('clientId', 'app', signal)).rejects.toMatchObject(incomplete);
    await expect(directory.read('clientId', READER.clientId, signal)).rejects.toMatchObject(incomplete);
    shown([READER.clientId]);
    expect((await directory.read('clientId', 'app', signal))?.grants).toEqual([]);
  });

  it('if no API is in the list, even after an earlier complete read', async () => {
    await directory.readAll(signal);
    tenant.fault = ({ segments }) =>
      segments[0] === 'resource-servers' ? { json: { resource_servers: [], total: 0 } } : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if clients are shown in part, as a weak token sees them', async () => {
    tenant.fault = ({ segments }) =>
      segments[0] === 'clients'
        ? { json: { start: 0, limit: 100, total: 1, clients: [{ client_id: READER.clientId, name: 'x' }] } }
        : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if every page of applications is the first one', async () => {
    await directory.close();
    directory = openAuth0(tenant, { pageSize: 2 }).directory;
    for (const name of ['a', 'b', 'c']) tenant.addClient(name);
    tenant.fault = ({ segments, query }) => {
      if (segments[0] === 'clients') query.set('page', '0');
      return undefined;
    };
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it.each<[string, Answer, string]>([
    ['fails', { status: 502, json: {} }, 'ERR_DIRECTORY_UNREACHABLE'],
    ['is refused to a new token too', { status: 401, json: {} }, 'ERR_DIRECTORY_DENIED'],
    ['is forbidden', { status: 403, json: {} }, 'ERR_DIRECTORY_DENIED'],
    ['is no list', { json: [] }, 'ERR_DIRECTORY_INCOMPLETE'],
  ])('if a page after the first %s', async (_, answer, code) => {
    await directory.close();
    directory = openAuth0(tenant, { pageSize: 2 }).directory;
    for (const name of ['a', 'b', 'c']) tenant.addClient(name);
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'clients' && query.get('page') === '1' ? answer : undefined;
    expect(await refusal()).toMatchObject({ code });
  });

  it('if a checkpoint leads back', async () => {
    tenant.fault = ({ segments }) =>
      segments[0] === 'client-grants' ? { json: { client_grants: [], next: 'again' } } : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if an entry comes twice', async () => {
    const grant = { id: 'cgr_1', client_id: 'a', audience: API, scope: ['read:orders'] };
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'client-grants'
        ? { json: { client_grants: [grant], ...(query.get('from') === null ? { next: '2' } : {}) } }
        : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if there are fewer clients than Auth0 states', async () => {
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'clients'
        ? {
            json: {
              total: 3,
              clients:
                query.get('page') === '0'
                  ? [{ client_id: READER.clientId, is_first_party: true, grant_types: [] }]
                  : [],
            },
          }
        : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if Auth0 states more APIs than it shows', async () => {
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'resource-servers'
        ? {
            json: {
              total: 2,
              resource_servers: query.get('page') === '0' ? [{ id: 'a', identifier: API }] : [],
            },
          }
        : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if Auth0 states another number of APIs on each page', async () => {
    tenant.fault = ({ segments, query }) => {
      if (segments[0] !== 'resource-servers') return undefined;
      const page = Number(query.get('page'));
      const resource_servers = page > 1 ? [] : [{ id: `${page}`, identifier: page === 0 ? API : 'other' }];
      return { json: { total: 3 - page, resource_servers } };
    };
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('if a permission is missing, which checkAccess names', async () => {
    tenant.permissions = new Set([...tenant.permissions].filter((each) => each !== 'read:client_grants'));
    expect(await refusal()).toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
    const missing = (await directory.checkAccess?.(signal))?.filter(({ isGranted }) => !isGranted);
    expect(missing?.map(({ permission }) => permission)).toEqual(['read:client_grants']);
  });

  it('if Auth0 limits requests, until the stated time', async () => {
    const reset = Math.ceil(Date.now() / 1000) + 30;
    tenant.fault = () => ({
      status: 429,
      headers: {
        'x-ratelimit-limit': '10',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': String(reset),
      },
      json: { statusCode: 429, error: 'Too Many Requests', errorCode: 'too_many_requests' },
    });
    const limited = await refusal();
    expect(limited).toMatchObject({ code: 'ERR_DIRECTORY_RATE_LIMITED', retriable: true });
    expect(limited).toMatchObject({ retryAfterMs: expect.closeTo(30_000, -4) });
  });
});

describe('a list of applications that changes during the read', () => {
  it('is read again until it is stable, and no application is missed', async () => {
    await directory.close();
    directory = openAuth0(tenant, { pageSize: 2 }).directory;
    for (const name of ['a', 'b', 'c', 'd', 'e']) tenant.addClient(name);
    let changed = false;
    tenant.fault = ({ segments, query }) => {
      // Between two pages one goes and one comes: the count stays, and one would fall between the pages.
      if (segments[0] === 'clients' && query.get('page') === '2' && !changed) {
        changed = true;
        tenant.changeClient('a', undefined);
        tenant.addClient('f');
      }
      return undefined;
    };
    const { clients } = await directory.readAll(signal);
    expect(clients.map(({ clientId }) => clientId).sort()).toEqual(
      ['b', 'c', 'd', 'e', 'f', READER.clientId].sort(),
    );
  });
});

it('a revoked token is replaced once', async () => {
  tenant.addClient('app');
  await all();
  tenant.forgetTokens();
  expect((await all()).has('app')).toBe(true);
});
