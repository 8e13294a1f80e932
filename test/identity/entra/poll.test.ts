import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../src/errors.js';
import type { createEntra } from '../../../src/identity/entra/entra.js';
import type { PollResult } from '../../../src/identity/source.js';
import { applicationOf, type Entra, principalOf, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { shape } from '../../support/entra/shapes.js';
import { guidOf } from '../../support/entra/tenant.js';

const signal = new AbortController().signal;
let entra: Entra;
let parts: ReturnType<typeof createEntra>;
let cursor: string | undefined;

beforeEach(async () => {
  entra = await startEntra();
  entra.addApi('orders', ['orders.read', 'orders.write'], ['orders.browse']);
  entra.addApi('other', ['orders.read'], ['orders.browse']);
  entra.addClient('web');
  parts = partsOf(entra, ['orders']);
  cursor = undefined;
});
afterEach(async () => {
  await parts.directory.close();
  await entra.close();
});

const poll = async (): Promise<PollResult> => {
  const result = await parts.poll.poll(cursor, signal);
  cursor = result.cursor;
  return result;
};
/** As a restart leaves things: the cursor alone. */
const restart = async () => {
  await parts.directory.close();
  parts = partsOf(entra, ['orders']);
};
const triggersOf = ({ events }: PollResult) => events.flatMap(({ triggers }) => triggers);
const ordersOf = ({ events }: PollResult) => events.flatMap(({ orders }) => orders);
const keysOf = (result: PollResult) =>
  triggersOf(result).map(({ key }) => (key.kind === 'client' ? `${key.by} ${key.value}` : key.kind));
const WEB = `clientId ${guidOf('web')}`;

describe('the first poll', () => {
  it('begins with now, and tells nothing of what was there', async () => {
    expect(await poll()).toMatchObject({ events: [], gap: false });
    expect(await poll()).toMatchObject({ events: [], gap: false });
  });
});

describe('a change of a client', () => {
  beforeEach(async () => {
    await parts.directory.readAll(signal);
    await poll();
  });

  it('that disables it is urgent, is evidence, and is an order', async () => {
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

  it('that deletes it names it, though Graph tells only ids of objects', async () => {
    entra.deleteClient('web');
    const result = await poll();
    expect(new Set(keysOf(result))).toEqual(new Set([WEB]));
    expect(ordersOf(result)).toMatchObject([
      { kind: 'client-deleted', clientId: guidOf('web') },
      { kind: 'client-deleted', clientId: guidOf('web'), internalId: principalOf('web') },
    ]);
  });

  it('of its registration, its consent or its roles leads to it', async () => {
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

  it('whose role the list lacks although it is still there is not believed', async () => {
    entra.assignRole('web', 'orders', 'orders.read');
    await poll();
    entra.fault = (url) =>
      url.pathname.endsWith('/appRoleAssignedTo') ? { status: 200, json: { value: [] } } : undefined;
    await expect(parts.poll.poll(cursor, signal)).rejects.toBeInstanceOf(IncompleteRead);
    entra.fault = undefined;
    expect((await poll()).events).toEqual([]);
  });

  it('that takes roles from very many at once is an inference, for the mass guard to judge', async () => {
    for (let at = 0; at < 60; at++) {
      entra.addClient(`many-${at}`);
      entra.assignRole(`many-${at}`, 'orders', 'orders.read');
    }
    await poll();
    for (let at = 0; at < 60; at++) entra.unassignRole(`many-${at}`, 'orders', 'orders.read');
    const triggers = triggersOf(await poll());
    expect(triggers).toHaveLength(60);
    expect(triggers.every(({ urgent, evidence }) => urgent === true && evidence === undefined)).toBe(true);
  });

  it('at an API that does not count says nothing', async () => {
    entra.consent('web', 'other', 'orders.browse');
    entra.assignRole('web', 'other', 'orders.read');
    expect((await poll()).events.flatMap(({ triggers }) => triggers)).toEqual([]);
    entra.consent('web', 'other', '');
    expect(triggersOf(await poll())).toEqual([]);
  });

  it('that is the consent of a single person says nothing, nor does its end', async () => {
    entra.consent('web', 'orders', 'orders.browse', 'Principal');
    expect(triggersOf(await poll())).toEqual([]);
    entra.tenant.remove(
      'oauth2PermissionGrants',
      [...entra.tenant.current.oauth2PermissionGrants.keys()][0] ?? '',
    );
    expect(triggersOf(await poll())).toEqual([]);
  });

  it('has the same event id if the round is read again, and another if it happens again', async () => {
    entra.changePrincipal('web', { accountEnabled: false });
    const before = cursor;
    const [first] = (await poll()).events;
    const [again] = (await parts.poll.poll(before, signal)).events;
    expect(again?.id).toBe(first?.id);
    entra.changePrincipal('web', { accountEnabled: true });
    await poll();
    entra.changePrincipal('web', { accountEnabled: false });
    const [later] = (await poll()).events;
    expect(later?.id).not.toBe(first?.id);
  });

  it('of an API compares everything, with what it no longer offers as evidence for it alone', async () => {
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
  it('compares everything, with all that it offered as evidence', async () => {
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

describe('an agent identity that is new', () => {
  it('is told by its object id, without a complete comparison', async () => {
    await poll();
    entra.tenant.put('servicePrincipals', shape('agent-identity', { id: guidOf('agent') }));
    expect(keysOf(await poll())).toEqual([`clientId ${guidOf('agent')}`]);
  });
});

describe('the cursor', () => {
  it('goes on after a restart, also over pages', async () => {
    await poll();
    entra.shape.maxPage = 2;
    for (const name of ['a', 'b', 'c', 'd', 'e']) entra.addClient(name);
    await restart();
    const result = await poll();
    expect(result.gap).toBe(false);
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      expect(keysOf(result), name).toContain(`clientId ${guidOf(name)}`);
  });

  it('notices after a restart that roles changed meanwhile: a gap, since nobody knows whose', async () => {
    await poll();
    entra.assignRole('web', 'orders', 'orders.read');
    await restart();
    expect((await poll()).gap).toBe(true);
    expect((await poll()).gap).toBe(false);
  });

  it('is taken up anew with a gap where Graph has forgotten it', async () => {
    await poll();
    entra.changePrincipal('web', { accountEnabled: false });
    entra.shape.forgottenBefore = entra.tenant.changes.length;
    expect(await poll()).toMatchObject({ gap: true, events: [] });
    entra.changePrincipal('web', { accountEnabled: true });
    expect(await poll()).toMatchObject({ gap: false, events: [{}] });
  });

  it('is taken up anew with a gap whatever words Graph has for having forgotten it', async () => {
    await poll();
    const answers = [
      { status: 410 },
      { status: 400, json: { error: { code: 'Directory_BadDeltaToken' } } },
      { status: 404, json: { error: { code: 'syncStateNotFound' } } },
    ];
    for (const answer of answers) {
      entra.fault = (url) =>
        url.pathname === '/v1.0/applications/delta' && url.searchParams.get('$deltatoken') !== 'latest'
          ? answer
          : undefined;
      expect((await poll()).gap, JSON.stringify(answer)).toBe(true);
    }
    entra.fault = undefined;
    expect((await poll()).gap).toBe(false);
  });

  it('is taken up anew with a gap where it is of another making, or leads elsewhere with the token', async () => {
    const own = (await poll()).cursor;
    const elsewhere = own.replaceAll(entra.origin, 'https://evil.example.com');
    for (const text of ['', 'nonsense', '{}', '[]', 'null', elsewhere]) {
      const result = await parts.poll.poll(text, signal);
      expect(result.gap, text).toBe(true);
      expect(result.cursor, text).toContain(entra.origin);
    }
  });

  it('stays where a round fails, and a page that leads back or elsewhere is refused', async () => {
    await poll();
    entra.changePrincipal('web', { accountEnabled: false });
    const answers = [
      { status: 503 },
      { status: 200, json: { value: [], '@odata.nextLink': 'https://evil.example.com/v1.0/x' } },
      { status: 200, json: { value: [] } },
      { status: 200, json: { value: [{ noId: true }], '@odata.deltaLink': `${entra.origin}/v1.0/x` } },
    ];
    for (const answer of answers) {
      entra.fault = (url) => (url.pathname === '/v1.0/servicePrincipals/delta' ? answer : undefined);
      await expect(parts.poll.poll(cursor, signal)).rejects.toThrow(/Graph/);
    }
    entra.fault = () => ({ status: 429, headers: { 'retry-after': '30' } });
    await expect(parts.poll.poll(cursor, signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 30_000,
    });
    entra.fault = undefined;
    expect(keysOf(await poll())).toEqual([WEB]);
  });
});

describe('what a restart forgot', () => {
  it('is compared completely: a consent that is gone, before anything was read', async () => {
    entra.consent('web', 'orders', 'orders.browse');
    await poll();
    entra.consent('web', 'orders', '');
    await restart();
    expect(triggersOf(await poll())).toMatchObject([
      { key: { kind: 'provider' }, fullRead: true, urgent: true },
    ]);
  });

  it('is nothing once everything was read', async () => {
    entra.consent('web', 'other', 'orders.browse');
    await poll();
    await parts.directory.readAll(signal);
    entra.consent('web', 'other', '');
    expect(triggersOf(await poll())).toEqual([]);
  });
});

describe('very many changes', () => {
  it('become one complete comparison, but what was taken away is told by name', async () => {
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
  it('does not hold up the poll, and is told with all that it offered', async () => {
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

describe('people', () => {
  const group = (...members: readonly string[]) =>
    entra.tenant.put('groups', { id: guidOf('team'), displayName: 'Team', members: members.map(guidOf) });
  const person = (name: string, accountEnabled: boolean) =>
    entra.tenant.put('users', { id: guidOf(name), displayName: name, accountEnabled });

  it('are asked about only once somebody wants the members of groups', async () => {
    await poll();
    person('ann', true);
    expect((await poll()).events).toEqual([]);
    expect(entra.requests.filter((request) => /users|groups/.test(request))).toEqual([]);
  });

  it('who leave a group, or whose account ends, are evidence', async () => {
    person('ann', true);
    person('ben', true);
    group('ann', 'ben');
    await parts.directory.readMembers?.([guidOf('team')], signal);
    // What came before the first round is nobody's loss, but may be one.
    expect(triggersOf(await poll())).toMatchObject([{ members: true }, { members: true }]);
    expect((await poll()).events).toEqual([]);

    group('ben');
    expect(triggersOf(await poll())).toMatchObject([
      {
        key: { kind: 'provider' },
        members: true,
        urgent: true,
        evidence: [{ provider: 'main', groups: [guidOf('team')], people: [guidOf('ann')] }],
      },
    ]);
    person('ben', false);
    expect(triggersOf(await poll())).toMatchObject([
      { members: true, evidence: [{ provider: 'main', people: [guidOf('ben')] }] },
    ]);
    entra.tenant.remove('groups', guidOf('team'));
    expect(triggersOf(await poll())).toMatchObject([
      { members: true, evidence: [{ provider: 'main', groups: [guidOf('team')] }] },
    ]);
  });

  it('who are very many are told in several events, each of a bounded size', async () => {
    await parts.directory.readMembers?.([guidOf('team')], signal);
    await poll();
    for (let at = 0; at < 600; at++) person(`person-${at}`, false);
    const triggers = triggersOf(await poll());
    expect(triggers.map(({ evidence }) => evidence?.[0]?.people?.length)).toEqual([500, 100]);
  });

  it('of a group that only changed its name are the same', async () => {
    group('ann');
    await parts.directory.readMembers?.([guidOf('team')], signal);
    await poll();
    entra.tenant.put('groups', {
      ...entra.tenant.get('groups', guidOf('team')),
      id: guidOf('team'),
      displayName: 'T',
    });
    expect((await poll()).events).toEqual([]);
  });

  it('who may not be read do not hold up what is told of clients', async () => {
    await parts.directory.readAll(signal);
    await parts.directory.readMembers?.([guidOf('team')], signal);
    await poll();
    for (const permission of ['GroupMember.Read.All', 'Group.Read.All', 'User.Read.All'])
      entra.permissions.delete(permission);
    entra.changePrincipal('web', { accountEnabled: false });
    entra.fault = (url) =>
      /users|groups/.test(url.pathname)
        ? { status: 403, json: { error: { code: 'Authorization_RequestDenied' } } }
        : undefined;
    expect(ordersOf(await poll())).toMatchObject([{ kind: 'client-disabled' }]);
    entra.fault = undefined;
    for (const permission of ['GroupMember.Read.All', 'User.Read.All']) entra.permissions.add(permission);
    person('ann', false);
    expect(triggersOf(await poll())).toMatchObject([
      { members: true, evidence: [{ people: [guidOf('ann')] }] },
    ]);
  });
});

describe('a directory that lags behind its changes', () => {
  it('is told of by the poll although a read still shows the old state', async () => {
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
