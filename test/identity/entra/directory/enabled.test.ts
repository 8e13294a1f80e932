import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Directory } from '../../../../src/identity/directory.js';
import { silentLogger } from '../../../../src/observe.js';
import { applicationOf, type Entra, principalOf, startEntra } from '../../../support/entra/entra.js';
import { partsOf } from '../../../support/entra/parts.js';
import { shape } from '../../../support/entra/shapes.js';
import { guidOf } from '../../../support/entra/tenant.js';

const signal = new AbortController().signal;
let entra: Entra;
let directory: Directory;

beforeEach(async () => {
  entra = await startEntra();
  entra.addApi('orders', ['orders.read']);
  directory = partsOf(entra, ['orders']).directory;
});
afterEach(async () => {
  await directory.close();
  await entra.close();
});

/** Read alone and among all, which must agree. */
const client = async (name: string) => {
  const found = await directory.read('clientId', guidOf(name), signal);
  const { clients } = await directory.readAll(signal);
  expect(found).toEqual(clients.find(({ clientId }) => clientId === guidOf(name)));
  return found;
};

describe('a client', () => {
  it('is disabled by an administrator, by Microsoft, or without its registration', async () => {
    entra.addClient('off', { principal: { accountEnabled: false } });
    entra.addClient('unknown', { principal: { accountEnabled: null } });
    entra.addClient('banned', {
      principal: { disabledByMicrosoftStatus: 'DisabledDueToViolationOfServicesAgreement' },
    });
    entra.addClient('orphan');
    entra.tenant.remove('applications', applicationOf('orphan'));
    for (const name of ['off', 'unknown', 'banned', 'orphan'])
      expect(await client(name), name).toMatchObject({ enabled: false });
  });

  it('is disabled while its registration is deactivated, here or in another tenant', async () => {
    entra.addClient('web');
    entra.addClient('foreign', { principal: { appOwnerOrganizationId: guidOf('elsewhere') } });
    entra.tenant.remove('applications', applicationOf('foreign'));
    for (const name of ['web', 'foreign']) {
      expect(await client(name), name).toMatchObject({ enabled: true });
      entra.deactivate(name);
      expect(await client(name), name).toMatchObject({ enabled: false });
      for (const isDisabled of [false, null]) {
        entra.deactivate(name, { isDisabled });
        expect(await client(name), name).toMatchObject({ enabled: true });
      }
    }
  });

  it('is disabled as soon as its registration is, even before its service principal shows it', async () => {
    entra.addClient('web');
    entra.deactivate('web');
    entra.changePrincipal('web', { isDisabled: null });
    expect(await client('web')).toMatchObject({ enabled: false });
  });

  it('is read if Graph does not know deactivation, which is logged once for each kind of read', async () => {
    entra.shape.unknownProperties.add('isDisabled');
    const warn = vi.fn();
    const parts = partsOf(entra, ['orders'], { logger: { ...silentLogger, warn } });
    const names = ['web', 'shop', 'stock'];
    for (const name of names) entra.addClient(name);
    const atOnce = names.map((name) => parts.directory.read('clientId', guidOf(name), signal));
    expect(await Promise.all(atOnce)).toMatchObject(names.map(() => ({ enabled: true })));
    for (let round = 0; round < 2; round++) {
      const { clients } = await parts.directory.readAll(signal);
      const web = clients.find(({ clientId }) => clientId === guidOf('web'));
      expect(web).toMatchObject({ enabled: true });
      expect(await parts.directory.read('clientId', guidOf('web'), signal)).toEqual(web);
    }
    const reads = ['applications', 'one application', 'one service principal', 'service principals'];
    expect(warn.mock.calls.map(([fields]) => fields.what).toSorted()).toEqual(reads);
    expect(warn.mock.calls[0]).toMatchObject([
      { properties: ['isDisabled'] },
      /does not know these properties/,
    ]);
    await parts.directory.close();
  });

  it('is read if Graph refuses deactivation in words that name no property', async () => {
    entra.addClient('web');
    const refusal = { status: 400, json: { error: { code: 'Request_BadRequest', message: 'Bad request.' } } };
    entra.fault = (url) =>
      url.searchParams.get('$select')?.includes('isDisabled') === true ? refusal : undefined;
    expect(await client('web')).toMatchObject({ enabled: true });
  });

  it('is refused if Graph refuses for another reason, and deactivation is selected again later', async () => {
    entra.addClient('web');
    entra.deactivate('web');
    for (const property of ['accountEnabled', 'isFallbackPublicClient']) {
      entra.shape.unknownProperties.add(property);
      await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
      entra.shape.unknownProperties.clear();
      expect(await client('web')).toMatchObject({ enabled: false });
    }
  });
});

describe('an agent identity', () => {
  /** Read alone and among all, which must agree. */
  const agent = async (name: string, reader = directory) => {
    const found = await reader.read('clientId', principalOf(name), signal);
    const { clients } = await reader.readAll(signal);
    expect(found).toEqual(clients.find(({ clientId }) => clientId === principalOf(name)));
    return found;
  };
  beforeEach(() => {
    entra.addBlueprint('blueprint');
    entra.addAgent('bot', 'blueprint');
  });

  it('is enabled only while no administrator, Microsoft or deactivation disables its blueprint', async () => {
    const disabled = { disabledByMicrosoftStatus: 'DisabledDueToViolationOfServicesAgreement' };
    expect(await agent('bot')).toMatchObject({ enabled: true, actorKind: 'agent' });
    for (const change of [{ accountEnabled: false }, disabled]) {
      entra.changePrincipal('blueprint', change);
      expect(await agent('bot'), JSON.stringify(change)).toMatchObject({ enabled: false });
      entra.changePrincipal('blueprint', { accountEnabled: true, disabledByMicrosoftStatus: null });
      expect(await agent('bot')).toMatchObject({ enabled: true });
    }
    entra.deactivate('blueprint');
    expect(await agent('bot')).toMatchObject({ enabled: false });
    entra.changePrincipal('blueprint', { isDisabled: null });
    expect(await agent('bot')).toMatchObject({ enabled: false });
  });

  it('is not disabled by another blueprint, nor by a missing blueprint', async () => {
    entra.addBlueprint('other');
    entra.changePrincipal('other', { accountEnabled: false });
    entra.deleteClient('blueprint');
    entra.tenant.put('servicePrincipals', shape('agent-identity', { id: principalOf('single') }));
    for (const name of ['bot', 'single']) expect(await agent(name), name).toMatchObject({ enabled: true });
  });

  it('is read alone once for its blueprint if the list does not state it', async () => {
    entra.shape.unknownProperties.add('agentIdentityBlueprintId');
    const parts = partsOf(entra, ['orders']);
    const asked = () =>
      entra.requests.filter((each) => each === `GET /v1.0/servicePrincipals/${principalOf('bot')}`).length;
    entra.changePrincipal('blueprint', { accountEnabled: false });
    const enabled = async () =>
      (await parts.directory.readAll(signal)).clients.find(({ clientId }) => clientId === principalOf('bot'))
        ?.enabled;
    expect(await enabled()).toBe(false);
    const first = asked();
    expect(first).toBeGreaterThan(0);
    expect(await enabled()).toBe(false);
    expect(asked()).toBe(first);
    expect(await agent('bot', parts.directory)).toMatchObject({ enabled: false });
    await parts.directory.close();
  });
});
