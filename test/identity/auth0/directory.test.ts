import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import { silentLogger } from '../../../src/observe.js';
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
  it('is the scopes of its grants at the APIs that are configured, under their identifiers', async () => {
    tenant.addApi('https://other.example.com', ['read:orders']);
    tenant.addClient('app');
    tenant.grant('app', ['read:orders']);
    tenant.grant('app', ['read:orders'], 'https://other.example.com');
    expect((await all()).get('app')?.grants).toEqual([{ api: API, name: 'read:orders' }]);
  });

  it('is never what another application was granted', async () => {
    tenant.addClient('app');
    tenant.addClient('App');
    tenant.grant('App', ['read:orders']);
    expect((await all()).get('app')?.grants).toEqual([]);
    expect((await directory.read('clientId', 'app', signal))?.grants).toEqual([]);
  });

  it('is nothing where it cannot ask as the grant is meant, or the API denies it to all', async () => {
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
    const api = (policy: string) => ({
      id: 'rs_1',
      identifier: API,
      scopes: [{ value: 'read:orders' }],
      subject_type_authorization: { client: { policy }, user: { policy: 'allow_all' } },
    });
    const show = (policy: string) => {
      tenant.fault = ({ segments }) =>
        segments[0] === 'resource-servers'
          ? { json: { resource_servers: [api(policy)], total: 1 } }
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

  it('is no scope that the API has no more, although the grant still names it', async () => {
    tenant.addClient('app');
    tenant.grant('app', ['read:orders', 'write:orders']);
    tenant.changeApi(API, ['read:orders']);
    expect((await all()).get('app')?.grants).toEqual([{ api: API, name: 'read:orders' }]);
    expect((await directory.read('clientId', 'app', signal))?.grants).toHaveLength(1);
  });

  it('lives as long as the shortest token of its APIs', async () => {
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

  it('is asked for without secrets', async () => {
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

describe('a read of an Auth0 tenant is refused whole', () => {
  const refusal = async () => directory.readAll(signal).catch((error: unknown) => error);

  it('where the application that reads is not in the list', async () => {
    tenant.changeClient(READER.clientId, undefined);
    tenant.addClient('app');
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('where no API is in the list, also once all were seen', async () => {
    await directory.readAll(signal);
    tenant.fault = ({ segments }) =>
      segments[0] === 'resource-servers' ? { json: { resource_servers: [], total: 0 } } : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('where clients are shown in part, as a weak token sees them', async () => {
    tenant.fault = ({ segments }) =>
      segments[0] === 'clients'
        ? { json: { start: 0, limit: 100, total: 1, clients: [{ client_id: READER.clientId, name: 'x' }] } }
        : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('where every page of applications is the first', async () => {
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
  ])('where a page after the first %s', async (_, answer, code) => {
    await directory.close();
    directory = openAuth0(tenant, { pageSize: 2 }).directory;
    for (const name of ['a', 'b', 'c']) tenant.addClient(name);
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'clients' && query.get('page') === '1' ? answer : undefined;
    expect(await refusal()).toMatchObject({ code });
  });

  it('where a checkpoint leads back', async () => {
    tenant.fault = ({ segments }) =>
      segments[0] === 'client-grants' ? { json: { client_grants: [], next: 'again' } } : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('where an entry comes twice', async () => {
    const grant = { id: 'cgr_1', client_id: 'a', audience: API, scope: ['read:orders'] };
    tenant.fault = ({ segments, query }) =>
      segments[0] === 'client-grants'
        ? { json: { client_grants: [grant], ...(query.get('from') === null ? { next: '2' } : {}) } }
        : undefined;
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('where fewer clients come than Auth0 counts', async () => {
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

  it('where Auth0 counts APIs that it does not show', async () => {
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

  it('where Auth0 counts another number of APIs on each page', async () => {
    tenant.fault = ({ segments, query }) => {
      if (segments[0] !== 'resource-servers') return undefined;
      const page = Number(query.get('page'));
      const resource_servers = page > 1 ? [] : [{ id: `${page}`, identifier: page === 0 ? API : 'other' }];
      return { json: { total: 3 - page, resource_servers } };
    };
    expect(await refusal()).toBeInstanceOf(IncompleteRead);
  });

  it('where a permission is missing, and checkAccess names it', async () => {
    tenant.permissions = new Set([...tenant.permissions].filter((each) => each !== 'read:client_grants'));
    expect(await refusal()).toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
    const missing = (await directory.checkAccess?.(signal))?.filter(({ isGranted }) => !isGranted);
    expect(missing?.map(({ permission }) => permission)).toEqual(['read:client_grants']);
  });

  it('where Auth0 limits requests, until the time that it says', async () => {
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

describe('a list of applications that shifts while it is read', () => {
  it('is read again until it stands still, and nobody is missed', async () => {
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

describe('the list of APIs', () => {
  const shifting = 'https://b.example.com';
  beforeEach(async () => {
    await directory.close();
    directory = openAuth0(tenant, { pageSize: 2, apis: ['https://d.example.com'] }).directory;
    for (const name of ['a', 'b', 'c', 'd']) tenant.addApi(`https://${name}.example.com`, ['read:it']);
    tenant.addClient('app');
    tenant.grant('app', ['read:it'], 'https://d.example.com');
  });

  it('is read to its last page', async () => {
    expect((await all()).get('app')?.grants).toEqual([{ api: 'https://d.example.com', name: 'read:it' }]);
    const pages = tenant.asked.filter(({ segments }) => segments[0] === 'resource-servers');
    // Its only parameters are those of page numbers.
    expect(pages.some(({ query }) => query.has('from') || query.has('take'))).toBe(false);
  });

  it('is read again where it shifts between two pages, so that no API is taken for gone', async () => {
    let changed = false;
    tenant.fault = ({ segments, query }) => {
      // One goes and one comes: the count stays, and that which counts would fall between the pages.
      if (segments[0] === 'resource-servers' && query.get('page') === '2' && !changed) {
        changed = true;
        tenant.changeApi(shifting, undefined);
        tenant.addApi('https://e.example.com', []);
      }
      return undefined;
    };
    expect((await all()).get('app')?.grants).toHaveLength(1);
    expect(changed).toBe(true);
  });
});

describe('an API of the configuration that the tenant does not have', () => {
  const OTHER = 'https://other.example.com';
  let warnings: object[];
  const open = async () => {
    await directory.close();
    warnings = [];
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    directory = openAuth0(tenant, { apis: [API, OTHER], logger }).directory;
  };
  const granted = async () => (await all()).get('app')?.grants.map(({ name }) => name);
  beforeEach(async () => {
    tenant.addApi(OTHER, ['a', 'b']);
    tenant.addClient('app');
    tenant.grant('app', ['read:orders']);
    tenant.grant('app', ['a', 'b'], OTHER);
    await open();
    expect(await granted()).toEqual(['read:orders', 'a', 'b']);
    tenant.changeApi(API, undefined);
  });

  it('gives nobody a scope, and holds up nothing that happens at the others', async () => {
    expect(await granted()).toEqual(['a', 'b']);
    expect(await granted()).toEqual(['a', 'b']);
    tenant.grant('app', ['a'], OTHER);
    expect(await granted()).toEqual(['a']);
    expect((await directory.read('clientId', 'app', signal))?.grants).toEqual([{ api: OTHER, name: 'a' }]);
  });

  it('is told once, and once more when it was there again', async () => {
    for (let at = 0; at < 3; at++) await all();
    expect(warnings).toEqual([{ provider: 'main', api: API }]);
    tenant.addApi(API, ['read:orders']);
    await all();
    tenant.changeApi(API, undefined);
    await all();
    expect(warnings).toHaveLength(2);
  });

  it('is the same after a restart', async () => {
    await open();
    expect(await granted()).toEqual(['a', 'b']);
    expect(await granted()).toEqual(['a', 'b']);
    expect(warnings).toEqual([{ provider: 'main', api: API }]);
  });

  it('is not taken for gone by a token that may read no API', async () => {
    const { permissions } = tenant;
    tenant.permissions = new Set([...permissions].filter((each) => each !== 'read:resource_servers'));
    await expect(all()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
    tenant.permissions = permissions;
    tenant.fault = ({ segments }) =>
      segments[0] === 'resource-servers' ? { json: { resource_servers: [], total: 0 } } : undefined;
    await expect(all()).rejects.toBeInstanceOf(IncompleteRead);
    expect(warnings).toEqual([]);
  });
});

it('a token that was withdrawn is exchanged once for another', async () => {
  tenant.addClient('app');
  await all();
  tenant.forgetTokens();
  expect((await all()).has('app')).toBe(true);
});
