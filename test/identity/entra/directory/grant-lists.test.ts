import { beforeEach, describe, expect, it } from 'vitest';
import { principalOf } from '../../../support/entra/entra.js';
import { useTenant } from '../open-tenant.js';

const signal = new AbortController().signal;
const tenant = useTenant(['orders', ['orders.read'], ['orders.browse']]);

describe('a list of grants', () => {
  const EMPTY = { status: 200, json: { value: [] } };
  const refused = { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true };
  beforeEach(async () => {
    for (const name of ['web', 'worker']) {
      tenant.entra.addClient(name);
      tenant.entra.assignRole(name, 'orders', 'orders.read');
      tenant.entra.consent(name, 'orders', 'orders.browse');
    }
    await tenant.directory.readAll(signal);
  });

  it.each(['/appRoleAssignedTo', '/appRoleAssignments', '/oauth2PermissionGrants'])(
    'that is empty at %s is refused while Graph still shows a known grant alone',
    async (path) => {
      tenant.entra.fault = (url) => (url.pathname.endsWith(path) ? EMPTY : undefined);
      if (path !== '/appRoleAssignments')
        await expect(tenant.directory.readAll(signal)).rejects.toMatchObject(refused);
      if (path !== '/appRoleAssignedTo') await expect(tenant.alone('web')).rejects.toMatchObject(refused);
      tenant.entra.fault = undefined;
      expect((await tenant.alone('web'))?.grants).toHaveLength(2);
    },
  );

  it('that lacks most of the known grants is refused too', async () => {
    tenant.entra.addClient('third');
    tenant.entra.assignRole('third', 'orders', 'orders.read');
    await tenant.directory.readAll(signal);
    tenant.entra.fault = (url) => {
      if (!url.pathname.endsWith('/appRoleAssignedTo')) return undefined;
      const value = [...tenant.entra.tenant.current.appRoleAssignments.values()];
      return {
        status: 200,
        json: { value: value.filter(({ principalId }) => principalId === principalOf('web')) },
      };
    };
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject(refused);
  });

  it('is believed once Graph itself says that the grants do not exist', async () => {
    for (const name of ['web', 'worker']) {
      tenant.entra.unassignRole(name, 'orders', 'orders.read');
      tenant.entra.consent(name, 'orders', '');
    }
    expect((await tenant.alone('web'))?.grants).toEqual([]);
    expect((await tenant.amongAll('web'))?.grants).toEqual([]);
    expect((await tenant.amongAll('worker'))?.grants).toEqual([]);
    const before = tenant.entra.requests.length;
    await tenant.directory.readAll(signal);
    const again = tenant.entra.requests.slice(before);
    expect(again.filter((line) => /appRoleAssignedTo\/|oauth2PermissionGrants\//.test(line))).toEqual([]);
  });

  it('is not believed if Graph does not say whether the grants exist', async () => {
    tenant.entra.fault = (url) => {
      if (url.pathname.endsWith('/appRoleAssignedTo')) return EMPTY;
      return url.pathname.includes('/appRoleAssignedTo/') ? { status: 503 } : undefined;
    };
    await expect(tenant.directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNREACHABLE',
    });
  });

  it('costs no other request while it lacks only a few', async () => {
    tenant.entra.unassignRole('worker', 'orders', 'orders.read');
    expect((await tenant.amongAll('worker'))?.grants).toHaveLength(1);
    expect(tenant.entra.requests.filter((line) => line.includes('/appRoleAssignedTo/'))).toEqual([]);
  });
});
