import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import { applicationOf, type Entra, principalOf, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';

const signal = new AbortController().signal;
let entra: Entra;
let directory: Directory;

beforeEach(async () => {
  entra = await startEntra();
  entra.addApi('orders', ['orders.read', 'orders.write'], ['orders.browse']);
  entra.addApi('other', ['orders.read'], ['orders.browse']);
  directory = partsOf(entra, ['orders']).directory;
});
afterEach(async () => {
  await directory.close();
  await entra.close();
});

const amongAll = async (name: string) => {
  const { clients } = await directory.readAll(signal);
  return clients.find(({ clientId }) => clientId === guidOf(name));
};
const alone = (name: string) => directory.read('clientId', guidOf(name), signal);

describe('a complete read', () => {
  it('costs only its pages', async () => {
    const { requests } = await directory.readAll(signal);
    // The API and its registration, the policies, both lists, and who holds its roles and scopes.
    expect(requests).toBe(7);
  });

  it('is refused as a whole if a page repeats, leads elsewhere, or has another shape', async () => {
    const one = { id: guidOf('x'), appId: guidOf('x'), passwordCredentials: [], keyCredentials: [] };
    const here = `${entra.origin}/v1.0/applications?again`;
    const pages = [
      { value: [one, one] },
      { value: [one], '@odata.nextLink': here },
      { value: [one], '@odata.nextLink': 'https://evil.example.com/v1.0/applications' },
      { value: [one], '@odata.nextLink': `${entra.origin}/other` },
      { value: [{ id: 'no guid' }] },
      { values: [] },
      null,
    ];
    for (const json of pages) {
      entra.fault = (url) => (url.pathname === '/v1.0/applications' ? { status: 200, json } : undefined);
      await expect(directory.readAll(signal), JSON.stringify(json)).rejects.toBeInstanceOf(IncompleteRead);
    }
  });

  it('leaves a client unknown whose registration may be the record without an appId', async () => {
    entra.addClient('web');
    entra.addClient('other');
    const whole = await directory.readAll(signal);
    const record = entra.tenant.get('applications', applicationOf('web'));
    if (record !== undefined) entra.tenant.put('applications', { ...record, appId: 7 });
    const { clients, unreadable } = await directory.readAll(signal);
    expect(unreadable.map(({ clientId }) => clientId)).toEqual([guidOf('web')]);
    expect(clients).toEqual(whole.clients.filter(({ clientId }) => clientId !== guidOf('web')));
  });

  it('leaves a client unknown whose service principal is in the list twice', async () => {
    entra.addClient('web');
    const whole = await directory.readAll(signal);
    const record = entra.tenant.get('servicePrincipals', principalOf('web'));
    if (record !== undefined) entra.tenant.put('servicePrincipals', { ...record, id: guidOf('again') });
    const { clients, unreadable } = await directory.readAll(signal);
    expect(unreadable.map(({ clientId }) => clientId)).toEqual([guidOf('web')]);
    expect(clients).toEqual(whole.clients.filter(({ clientId }) => clientId !== guidOf('web')));
  });

  it('fails at once if an empty page leads back to itself', async () => {
    const json = { value: [], '@odata.nextLink': `${entra.origin}/v1.0/applications?again` };
    entra.fault = (url) => (url.pathname === '/v1.0/applications' ? { status: 200, json } : undefined);
    await expect(directory.readAll(signal)).rejects.toBeInstanceOf(IncompleteRead);
    expect(entra.requests.filter((request) => request === 'GET /v1.0/applications')).toHaveLength(2);
  });

  it('is refused as a whole if a page fails after the first', async () => {
    for (let at = 0; at < 30; at++) entra.addClient(`many-${at}`);
    entra.shape.maxPage = 10;
    expect((await directory.readAll(signal)).clients.length).toBe(33);
    entra.fault = (url) =>
      url.searchParams.get('$skiptoken') === '20'
        ? { status: 503, headers: { 'retry-after': '7' } }
        : undefined;
    await expect(directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNREACHABLE',
      retryAfterMs: 7000,
    });
  });

  it('is refused if the client of scopemesh is not in the list', async () => {
    entra.deleteClient('scopemesh');
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  const shortened = (keeps: (appId: unknown) => boolean) => {
    entra.fault = (url) => {
      if (url.pathname !== '/v1.0/applications') return undefined;
      const value = [...entra.tenant.current.applications.values()].filter(({ appId }) => keeps(appId));
      return { status: 200, json: { value } };
    };
  };
  const refused = { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true };

  it('is refused if the registration of scopemesh is not in the list', async () => {
    entra.addClient('web');
    shortened(() => false);
    await expect(directory.readAll(signal)).rejects.toMatchObject(refused);
    shortened((appId) => appId === guidOf('web'));
    await expect(directory.readAll(signal)).rejects.toMatchObject(refused);
  });

  it('is refused if the list of applications lacks one that Graph still shows alone', async () => {
    entra.addClient('web');
    shortened((appId) => appId !== guidOf('web'));
    await expect(directory.readAll(signal)).rejects.toMatchObject(refused);
    entra.tenant.remove('applications', applicationOf('web'));
    expect(await amongAll('web')).toMatchObject({ enabled: false });
  });

  it('needs no registration of scopemesh if that is in another tenant', async () => {
    entra.changePrincipal('scopemesh', { appOwnerOrganizationId: guidOf('elsewhere') });
    entra.tenant.remove('applications', applicationOf('scopemesh'));
    expect(await amongAll('scopemesh')).toMatchObject({ enabled: true });
  });

  it('waits as long as Graph states when it is throttled', async () => {
    entra.fault = () => ({ status: 429, headers: { 'retry-after': '12' } });
    await expect(directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 12_000,
    });
  });
});

describe('absence', () => {
  it('counts only if Graph itself states it', async () => {
    expect(await alone('nobody')).toBeUndefined();
    entra.fault = (url) =>
      url.pathname.includes('servicePrincipals') ? { status: 404, json: {} } : undefined;
    await expect(alone('scopemesh')).rejects.toBeInstanceOf(IncompleteRead);
  });
});

describe('permissions', () => {
  it('are named exactly if they are missing', async () => {
    const missing = async () =>
      (await directory.checkAccess?.(signal))
        ?.filter(({ isGranted }) => !isGranted)
        .map(({ permission }) => permission);
    expect(await missing()).toEqual([]);
    for (const permission of ['Directory.Read.All', 'Policy.Read.All', 'User.Read.All'])
      entra.permissions.delete(permission);
    expect(await missing()).toEqual(['Directory.Read.All', 'Policy.Read.All', 'User.Read.All']);
    entra.permissions.clear();
    expect(await missing()).toHaveLength(5);
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
  });
});
