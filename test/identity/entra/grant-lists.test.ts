import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Directory } from '../../../src/identity/directory.js';
import { type Entra, principalOf, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';

const signal = new AbortController().signal;
let entra: Entra;
let directory: Directory;

beforeEach(async () => {
  entra = await startEntra();
  entra.addApi('orders', ['orders.read'], ['orders.browse']);
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

describe('a list of grants', () => {
  const EMPTY = { status: 200, json: { value: [] } };
  const refused = { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true };
  beforeEach(async () => {
    for (const name of ['web', 'worker']) {
      entra.addClient(name);
      entra.assignRole(name, 'orders', 'orders.read');
      entra.consent(name, 'orders', 'orders.browse');
    }
    await directory.readAll(signal);
  });

  it.each(['/appRoleAssignedTo', '/appRoleAssignments', '/oauth2PermissionGrants'])(
    'that is empty at %s is refused while Graph still shows a known grant alone',
    async (path) => {
      entra.fault = (url) => (url.pathname.endsWith(path) ? EMPTY : undefined);
      if (path !== '/appRoleAssignments')
        await expect(directory.readAll(signal)).rejects.toMatchObject(refused);
      if (path !== '/appRoleAssignedTo') await expect(alone('web')).rejects.toMatchObject(refused);
      entra.fault = undefined;
      expect((await alone('web'))?.grants).toHaveLength(2);
    },
  );

  it('that lacks most of the known grants is refused too', async () => {
    entra.addClient('third');
    entra.assignRole('third', 'orders', 'orders.read');
    await directory.readAll(signal);
    entra.fault = (url) => {
      if (!url.pathname.endsWith('/appRoleAssignedTo')) return undefined;
      const value = [...entra.tenant.current.appRoleAssignments.values()];
      return {
        status: 200,
        json: { value: value.filter(({ principalId }) => principalId === principalOf('web')) },
      };
    };
    await expect(directory.readAll(signal)).rejects.toMatchObject(refused);
  });

  it('is believed once Graph itself says that the grants do not exist', async () => {
    for (const name of ['web', 'worker']) {
      entra.unassignRole(name, 'orders', 'orders.read');
      entra.consent(name, 'orders', '');
    }
    expect((await alone('web'))?.grants).toEqual([]);
    expect((await amongAll('web'))?.grants).toEqual([]);
    expect((await amongAll('worker'))?.grants).toEqual([]);
    const before = entra.requests.length;
    await directory.readAll(signal);
    const again = entra.requests.slice(before);
    expect(again.filter((line) => /appRoleAssignedTo\/|oauth2PermissionGrants\//.test(line))).toEqual([]);
  });

  it('is not believed if Graph does not say whether the grants exist', async () => {
    entra.fault = (url) => {
      if (url.pathname.endsWith('/appRoleAssignedTo')) return EMPTY;
      return url.pathname.includes('/appRoleAssignedTo/') ? { status: 503 } : undefined;
    };
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });

  it('costs no other request while it lacks only a few', async () => {
    entra.unassignRole('worker', 'orders', 'orders.read');
    expect((await amongAll('worker'))?.grants).toHaveLength(1);
    expect(entra.requests.filter((line) => line.includes('/appRoleAssignedTo/'))).toEqual([]);
  });
});
