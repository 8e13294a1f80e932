import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../src/errors.js';
import { applicationOf, principalOf } from '../../support/entra/entra.js';
import { shape } from '../../support/entra/shapes.js';
import { guidOf } from '../../support/entra/tenant.js';
import { keysOf, ordersOf, type PollRig, startPollRig, triggersOf, WEB } from './poll-rig.js';

const signal = new AbortController().signal;
let rig: PollRig;
beforeEach(async () => {
  rig = await startPollRig();
});
afterEach(() => rig.stop());

describe('the first poll', () => {
  it('starts now, without events', async () => {
    const { poll } = rig;
    expect(await poll()).toMatchObject({ events: [], gap: false });
    expect(await poll()).toMatchObject({ events: [], gap: false });
  });
});

describe('a change of a client', () => {
  beforeEach(async () => {
    const { parts, poll } = rig;
    await parts.directory.readAll(signal);
    await poll();
  });

  it('that disables it is urgent, is evidence, and is an order', async () => {
    const { entra, poll } = rig;
    entra.changePrincipal('web', { accountEnabled: false });
    const result = await poll();
    expect(triggersOf(result)).toMatchObject([
      {
        key: { by: 'clientId', value: guidOf('web') },
        urgent: true,
        evidence: [{ provider: 'main', clients: [guidOf('web')], internalIds: [principalOf('web')] }],
      },
    ]);
    expect(ordersOf(result)).toMatchObject([
      { kind: 'client-disabled', clientId: guidOf('web'), internalId: principalOf('web') },
    ]);
    expect((await poll()).events).toEqual([]);
  });

  it('that deactivates its registration is urgent, is evidence, and is an order', async () => {
    const { entra, poll } = rig;
    entra.deactivate('web');
    const result = await poll();
    expect(new Set(keysOf(result))).toEqual(new Set([WEB]));
    expect(triggersOf(result)).toMatchObject([
      { urgent: true, evidence: [{ clients: [guidOf('web')] }] },
      { urgent: true, evidence: [{ clients: [guidOf('web')], internalIds: [principalOf('web')] }] },
    ]);
    expect(ordersOf(result)).toMatchObject([
      { kind: 'client-disabled', clientId: guidOf('web') },
      { kind: 'client-disabled', clientId: guidOf('web'), internalId: principalOf('web') },
    ]);
    entra.deactivate('web', { isDisabled: false });
    const again = await poll();
    expect(new Set(keysOf(again))).toEqual(new Set([WEB]));
    expect(ordersOf(again)).toEqual([]);
  });

  it('that deletes it names it, although Graph gives only object IDs', async () => {
    const { entra, poll } = rig;
    entra.deleteClient('web');
    const result = await poll();
    expect(new Set(keysOf(result))).toEqual(new Set([WEB]));
    expect(ordersOf(result)).toMatchObject([
      { kind: 'client-deleted', clientId: guidOf('web') },
      { kind: 'client-deleted', clientId: guidOf('web'), internalId: principalOf('web') },
    ]);
  });

  it('of its registration, consent or roles leads to it', async () => {
    const { entra, poll } = rig;
    entra.tenant.put('applications', {
      ...entra.tenant.get('applications', applicationOf('web')),
      id: applicationOf('web'),
      isFallbackPublicClient: true,
    });
    expect(keysOf(await poll())).toEqual([WEB]);
    entra.consent('web', 'orders', 'orders.browse');
    expect(keysOf(await poll())).toEqual([WEB]);
    entra.consent('web', 'orders', '');
    const revoked = await poll();
    expect(keysOf(revoked)).toEqual([WEB]);
    expect(triggersOf(revoked)[0]).toMatchObject({ urgent: true, evidence: [{ clients: [guidOf('web')] }] });
    entra.assignRole('web', 'orders', 'orders.read');
    expect(triggersOf(await poll())).toMatchObject([{ key: { value: guidOf('web') } }]);
    entra.unassignRole('web', 'orders', 'orders.read');
    const [lost, ...others] = triggersOf(await poll());
    expect(lost).toMatchObject({
      key: { value: guidOf('web') },
      urgent: true,
      evidence: [{ provider: 'main', clients: [guidOf('web')], internalIds: [principalOf('web')] }],
    });
    expect(others).toEqual([]);
  });

  it('that only the list of roles shows is refused if the role still exists', async () => {
    const { entra, parts, poll } = rig;
    entra.assignRole('web', 'orders', 'orders.read');
    await poll();
    entra.fault = (url) =>
      url.pathname.endsWith('/appRoleAssignedTo') ? { status: 200, json: { value: [] } } : undefined;
    await expect(parts.poll.poll(rig.cursor, signal)).rejects.toBeInstanceOf(IncompleteRead);
    entra.fault = undefined;
    expect((await poll()).events).toEqual([]);
  });

  it('that takes roles from very many at once is an inference, and refused if the roles still exist', async () => {
    const { entra, parts, poll } = rig;
    for (let at = 0; at < 60; at++) {
      entra.addClient(`many-${at}`);
      entra.assignRole(`many-${at}`, 'orders', 'orders.read');
    }
    await poll();
    entra.fault = (url) =>
      url.pathname.endsWith('/appRoleAssignedTo') ? { status: 200, json: { value: [] } } : undefined;
    await expect(parts.poll.poll(rig.cursor, signal)).rejects.toBeInstanceOf(IncompleteRead);
    entra.fault = undefined;
    for (let at = 0; at < 60; at++) entra.unassignRole(`many-${at}`, 'orders', 'orders.read');
    const triggers = triggersOf(await poll());
    expect(triggers).toHaveLength(60);
    expect(triggers.every(({ urgent, evidence }) => urgent === true && evidence === undefined)).toBe(true);
  });

  it('at an API that does not count has no effect', async () => {
    const { entra, poll } = rig;
    entra.consent('web', 'other', 'orders.browse');
    entra.assignRole('web', 'other', 'orders.read');
    expect((await poll()).events.flatMap(({ triggers }) => triggers)).toEqual([]);
    entra.consent('web', 'other', '');
    expect(triggersOf(await poll())).toEqual([]);
  });

  it('that is the consent of a single person has no effect, nor does its end', async () => {
    const { entra, poll } = rig;
    entra.consent('web', 'orders', 'orders.browse', 'Principal');
    expect(triggersOf(await poll())).toEqual([]);
    entra.tenant.remove(
      'oauth2PermissionGrants',
      [...entra.tenant.current.oauth2PermissionGrants.keys()][0] ?? '',
    );
    expect(triggersOf(await poll())).toEqual([]);
  });

  it('has the same event ID if the round is read again, and another if it happens again', async () => {
    const { entra, parts, poll } = rig;
    entra.changePrincipal('web', { accountEnabled: false });
    const before = rig.cursor;
    const [first] = (await poll()).events;
    const [again] = (await parts.poll.poll(before, signal)).events;
    expect(again?.id).toBe(first?.id);
    entra.changePrincipal('web', { accountEnabled: true });
    await poll();
    entra.changePrincipal('web', { accountEnabled: false });
    const [later] = (await poll()).events;
    expect(later?.id).not.toBe(first?.id);
  });

  it('of an API leads to a complete comparison, with its lost scopes as evidence', async () => {
    const { entra, poll } = rig;
    const api = entra.tenant.get('servicePrincipals', principalOf('orders'));
    const roles = Array.isArray(api?.appRoles) ? api.appRoles : [];
    entra.changePrincipal('orders', {
      appRoles: roles.map((role) => ({ ...role, isEnabled: role.value !== 'orders.write' })),
    });
    expect(triggersOf(await poll())).toMatchObject([
      {
        key: { kind: 'provider' },
        fullRead: true,
        urgent: true,
        evidence: [{ provider: 'main', api: guidOf('orders'), scopes: ['orders.write'] }],
      },
      { key: { kind: 'client' } },
    ]);
  });
});

describe('an API that is disabled', () => {
  it('leads to a complete comparison, with all its scopes as evidence', async () => {
    const { entra, poll } = rig;
    await poll();
    entra.changePrincipal('orders', { accountEnabled: false });
    expect(triggersOf(await poll())[0]).toMatchObject({
      key: { kind: 'provider' },
      fullRead: true,
      urgent: true,
      evidence: [
        { provider: 'main', api: guidOf('orders'), scopes: expect.arrayContaining(['orders.read']) },
      ],
    });
  });
});

describe('a new agent identity', () => {
  it('is named by its object ID, without a complete comparison', async () => {
    const { entra, poll } = rig;
    await poll();
    entra.tenant.put('servicePrincipals', shape('agent-identity', { id: guidOf('agent') }));
    expect(keysOf(await poll())).toEqual([`clientId ${guidOf('agent')}`]);
  });
});

describe('very many changes', () => {
  it('become one complete comparison, with the removals by name', async () => {
    const { entra, parts, poll } = rig;
    await parts.directory.readAll(signal);
    await poll();
    for (let at = 0; at < 150; at++) entra.addClient(`many-${at}`);
    entra.changePrincipal('web', { accountEnabled: false });
    const result = await poll();
    expect(ordersOf(result)).toMatchObject([{ kind: 'client-disabled', clientId: guidOf('web') }]);
    const [trigger, ...others] = triggersOf(result);
    expect(others).toEqual([]);
    expect(trigger).toMatchObject({ key: { kind: 'provider' }, fullRead: true, urgent: true });
    expect(trigger?.evidence?.[0]?.clients).toContain(guidOf('web'));
    expect(trigger?.evidence?.[0]?.clients).toHaveLength(151);
  });
});

describe('an API that is deleted', () => {
  it('does not stop the poll, and all its scopes are reported as lost', async () => {
    const { entra, parts, poll } = rig;
    await parts.directory.readAll(signal);
    await poll();
    entra.deleteClient('orders');
    const scopes = ['orders.read', 'orders.write', 'orders.browse'];
    expect(triggersOf(await poll())).toContainEqual(
      expect.objectContaining({
        fullRead: true,
        evidence: [{ provider: 'main', api: guidOf('orders'), scopes }],
      }),
    );
    expect((await poll()).events).toEqual([]);
  });
});

describe('a directory that is behind its changes', () => {
  it('is reported by the poll although a read still shows the old state', async () => {
    const { entra, parts, poll } = rig;
    await parts.directory.readAll(signal);
    await poll();
    entra.tenant.freezeReads();
    entra.changePrincipal('web', { accountEnabled: false });
    expect(ordersOf(await poll())).toMatchObject([{ kind: 'client-disabled' }]);
    expect(await parts.directory.read('clientId', guidOf('web'), signal)).toMatchObject({ enabled: true });
    entra.tenant.thawReads();
    expect(await parts.directory.read('clientId', guidOf('web'), signal)).toMatchObject({ enabled: false });
  });
});
