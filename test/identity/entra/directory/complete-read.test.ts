import { describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../../src/errors.js';
import { applicationOf, principalOf } from '../../../support/entra/entra.js';
import { guidOf } from '../../../support/entra/tenant.js';
import { useTenant } from '../open-tenant.js';

const signal = new AbortController().signal;
const tenant = useTenant(
  ['orders', ['orders.read', 'orders.write'], ['orders.browse']],
  ['other', ['orders.read'], ['orders.browse']],
);

describe('a complete read', () => {
  it('costs only its pages', async () => {
    const { requests } = await tenant.directory.readAll(signal);
    // The API and its registration, the policies, both lists, and who holds its roles and scopes.
    expect(requests).toBe(7);
  });

  it('is refused as a whole if a page repeats, leads elsewhere, or has another shape', async () => {
    const one = { id: guidOf('x'), appId: guidOf('x'), passwordCredentials: [], keyCredentials: [] };
    const here = `${tenant.entra.origin}/v1.0/applications?again`;
    const pages = [
      { value: [one, one] },
      { value: [one], '@odata.nextLink': here },
      { value: [one], '@odata.nextLink': 'https://evil.example.com/v1.0/applications' },
      { value: [one], '@odata.nextLink': `${tenant.entra.origin}/other` },
      { value: [{ id: 'no guid' }] },
      { values: [] },
      null,
    ];
    for (const json of pages) {
      tenant.entra.fault = (url) =>
        url.pathname === '/v1.0/applications' ? { status: 200, json } : undefined;
      await expect(tenant.directory.readAll(signal), JSON.stringify(json)).rejects.toBeInstanceOf(
        IncompleteRead,
      );
    }
  });

  it('leaves a client unknown whose registration may be the record without an appId', async () => {
    tenant.entra.addClient('web');
    tenant.entra.addClient('other');
    const whole = await tenant.directory.readAll(signal);
    const record = tenant.entra.tenant.get('applications', applicationOf('web'));
    if (record !== undefined) tenant.entra.tenant.put('applications', { ...record, appId: 7 });
    const { clients, unreadable } = await tenant.directory.readAll(signal);
    expect(unreadable.map(({ clientId }) => clientId)).toEqual([guidOf('web')]);
    expect(clients).toEqual(whole.clients.filter(({ clientId }) => clientId !== guidOf('web')));
  });

  it('leaves a client unknown whose service principal is in the list twice', async () => {
    tenant.entra.addClient('web');
    const whole = await tenant.directory.readAll(signal);
    const record = tenant.entra.tenant.get('servicePrincipals', principalOf('web'));
    if (record !== undefined)
      tenant.entra.tenant.put('servicePrincipals', { ...record, id: guidOf('again') });
    const { clients, unreadable } = await tenant.directory.readAll(signal);
    expect(unreadable.map(({ clientId }) => clientId)).toEqual([guidOf('web')]);
    expect(clients).toEqual(whole.clients.filter(({ clientId }) => clientId !== guidOf('web')));
  });

  it('fails at once if an empty page leads back to itself', async () => {
    const json = { value: [], '@odata.nextLink': `${tenant.entra.origin}/v1.0/applications?again` };
    tenant.entra.fault = (url) => (url.pathname === '/v1.0/applications' ? { status: 200, json } : undefined);
    await expect(tenant.directory.readAll(signal)).rejects.toBeInstanceOf(IncompleteRead);
    expect(tenant.entra.requests.filter((request) => request === 'GET /v1.0/applications')).toHaveLength(2);
  });

  it('is refused as a whole if a page fails after the first', async () => {
    for (let at = 0; at < 30; at++) tenant.entra.addClient(`many-${at}`);
    tenant.entra.shape.maxPage = 10;
    expect((await tenant.directory.readAll(signal)).clients.length).toBe(33);
    tenant.entra.fault = (url) =>
      url.searchParams.get('$skiptoken') === '20'
        ? { status: 503, headers: { 'retry-after': '7' } }
        : undefined;
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNREACHABLE',
      retryAfterMs: 7000,
    });
  });

  it('is refused if the client of scopemesh is not in the list', async () => {
    tenant.entra.deleteClient('scopemesh');
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_INCOMPLETE',
    });
  });

  const shortened = (keeps: (appId: unknown) => boolean) => {
    tenant.entra.fault = (url) => {
      if (url.pathname !== '/v1.0/applications') return undefined;
      const value = [...tenant.entra.tenant.current.applications.values()].filter(({ appId }) =>
        keeps(appId),
      );
      return { status: 200, json: { value } };
    };
  };
  const refused = { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true };

  it('is refused if the registration of scopemesh is not in the list', async () => {
    tenant.entra.addClient('web');
    shortened(() => false);
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject(refused);
    shortened((appId) => appId === guidOf('web'));
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject(refused);
  });

  it('is refused if the list of applications lacks one that Graph still shows alone', async () => {
    tenant.entra.addClient('web');
    shortened((appId) => appId !== guidOf('web'));
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject(refused);
    tenant.entra.tenant.remove('applications', applicationOf('web'));
    expect(await tenant.amongAll('web')).toMatchObject({ enabled: false });
  });

  it('needs no registration of scopemesh if that is in another tenant', async () => {
    tenant.entra.changePrincipal('scopemesh', { appOwnerOrganizationId: guidOf('elsewhere') });
    tenant.entra.tenant.remove('applications', applicationOf('scopemesh'));
    expect(await tenant.amongAll('scopemesh')).toMatchObject({ enabled: true });
  });

  it('waits as long as Graph states when it is throttled', async () => {
    tenant.entra.fault = () => ({ status: 429, headers: { 'retry-after': '12' } });
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 12_000,
    });
  });
});

describe('absence', () => {
  it('counts only if Graph itself states it', async () => {
    expect(await tenant.alone('nobody')).toBeUndefined();
    tenant.entra.fault = (url) =>
      url.pathname.includes('servicePrincipals') ? { status: 404, json: {} } : undefined;
    await expect(tenant.alone('scopemesh')).rejects.toBeInstanceOf(IncompleteRead);
  });
});

describe('permissions', () => {
  it('are named exactly if they are missing', async () => {
    const missing = async () =>
      (await tenant.directory.checkAccess?.(signal))
        ?.filter(({ isGranted }) => !isGranted)
        .map(({ permission }) => permission);
    expect(await missing()).toEqual([]);
    for (const permission of ['Directory.Read.All', 'Policy.Read.All', 'User.Read.All'])
      tenant.entra.permissions.delete(permission);
    expect(await missing()).toEqual(['Directory.Read.All', 'Policy.Read.All', 'User.Read.All']);
    tenant.entra.permissions.clear();
    expect(await missing()).toHaveLength(5);
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
  });
});
