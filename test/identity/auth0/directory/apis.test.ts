import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../../src/errors.js';
import type { Directory } from '../../../../src/identity/directory.js';
import { silentLogger } from '../../../../src/observe.js';
import { API, type Auth0, startAuth0 } from '../../../support/auth0/auth0.js';
import { openAuth0 } from '../open.js';

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

describe('a grant that requires an organization', () => {
  const scopes = async (clientId: string) => (await all()).get(clientId)?.grants.map(({ name }) => name);
  beforeEach(() => {
    tenant.addClient('app');
    tenant.grant('app', ['read:orders']);
  });

  it('opens nothing without one', async () => {
    expect(await scopes('app')).toEqual(['read:orders']);
    tenant.requireOrganization('app', []);
    expect(await scopes('app')).toEqual([]);
    expect((await directory.read('clientId', 'app', signal))?.grants).toEqual([]);
    tenant.requireOrganization('app', ['org_1']);
    expect(await scopes('app')).toEqual(['read:orders']);
  });

  it('leaves its client unreadable, and no other, if scopemesh may not read its organizations', async () => {
    tenant.addClient('other');
    tenant.grant('other', ['read:orders']);
    tenant.requireOrganization('app', ['org_1']);
    tenant.fault = ({ segments }) =>
      segments[2] === 'organizations' ? { status: 403, json: { statusCode: 403 } } : undefined;
    const { clients, unreadable } = await directory.readAll(signal);
    expect(unreadable).toMatchObject([
      { clientId: 'app', why: expect.stringContaining('read:organization_client_grants') },
    ]);
    expect(clients.map(({ clientId }) => clientId)).toContain('other');
    await expect(directory.read('clientId', 'app', signal)).rejects.toMatchObject({
      code: 'ERR_CLIENT_UNREADABLE',
    });
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

  it('is read again if pages shift, so that no API counts as deleted', async () => {
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

  it('gives no client a scope, and does not affect the other APIs', async () => {
    expect(await granted()).toEqual(['a', 'b']);
    expect(await granted()).toEqual(['a', 'b']);
    tenant.grant('app', ['a'], OTHER);
    expect(await granted()).toEqual(['a']);
    expect((await directory.read('clientId', 'app', signal))?.grants).toEqual([{ api: OTHER, name: 'a' }]);
  });

  it('is logged once, and again if it disappears again', async () => {
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

  it('is not assumed for an access token that may read no API', async () => {
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
