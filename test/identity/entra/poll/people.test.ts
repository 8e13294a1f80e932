import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import { Secret } from '../../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../../src/observe.js';
import { openProvider } from '../../../../workers/wire.js';
import { READER } from '../../../support/entra/entra.js';
import { guidOf } from '../../../support/entra/tenant.js';
import { ordersOf, type PollRig, startPollRig, triggersOf } from '../poll-rig.js';

const signal = new AbortController().signal;
let rig: PollRig;
beforeEach(async () => {
  rig = await startPollRig();
});
afterEach(() => rig.stop());

describe('people', () => {
  const group = (...members: readonly string[]) =>
    rig.entra.tenant.put('groups', { id: guidOf('team'), displayName: 'Team', members: members.map(guidOf) });
  const person = (name: string, accountEnabled: boolean) =>
    rig.entra.tenant.put('users', { id: guidOf(name), displayName: name, accountEnabled });

  it('are read only once the members of groups are', async () => {
    const { entra, poll } = rig;
    await poll();
    person('ann', true);
    expect((await poll()).events).toEqual([]);
    expect(entra.requests.filter((request) => /users|groups/.test(request))).toEqual([]);
  });

  it('are read from the start where persons of the console sign in', async () => {
    const { entra } = rig;
    const settings = {
      name: 'main',
      kind: 'entra' as const,
      issuer: entra.issuer,
      insecure: true,
      fullReadMs: 3_600_000,
      claims: { client: 'azp', scopes: 'roles', groups: 'groups' },
      pollMs: 30_000,
      graph: entra.origin,
      clientId: READER.clientId,
      credential: { kind: 'secret' as const, clientSecret: new Secret(READER.clientSecret) },
      apis: [guidOf('orders')],
      webhookSecrets: [],
    };
    const login = [{ provider: 'main', clientId: 'c', clientSecret: new Secret('s'), scopes: ['openid'] }];
    const config = { groups: [], http: { console: { login } } };
    const runtime = { clock: systemClock, logger: silentLogger, metrics: noMetrics };
    const provider = await openProvider(settings, config, runtime);
    await provider.poll?.poll(undefined, signal);
    expect(entra.requests.filter((request) => /users.delta/.test(request))).toHaveLength(1);
    await provider.directory.close();
  });

  it('who leave a group, or whose account ends, are evidence', async () => {
    const { entra, parts, poll } = rig;
    person('ann', true);
    person('ben', true);
    group('ann', 'ben');
    await parts.directory.readMembers?.([guidOf('team')], signal);
    // What happened before the first round names no loss, but may be one.
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

  it('whose sessions an administrator ends get an order with the instant, and no other change repeats an old one', async () => {
    const { entra, parts, poll } = rig;
    await parts.directory.readMembers?.([guidOf('team')], signal);
    await poll();
    const now = Date.now();
    const put = (signInSessionsValidFromDateTime: string | null, displayName = 'Ann') =>
      entra.tenant.put('users', {
        id: guidOf('ann'),
        displayName,
        accountEnabled: true,
        signInSessionsValidFromDateTime,
      });
    const ago = (ms: number) => `${new Date(now - ms).toISOString().slice(0, 19)}Z`;
    put(ago(10_000));
    expect(ordersOf(await poll())).toMatchObject([
      { kind: 'session-revoked', subject: guidOf('ann'), at: ago(10_000).replace('Z', '.999Z') },
    ]);
    put(ago(26 * 3_600_000));
    expect(ordersOf(await poll())).toEqual([]);
    put(null);
    expect(ordersOf(await poll())).toEqual([]);
    // A clock that goes ahead there must not end what is issued later.
    put(ago(-3_600_000), 'Ann Again');
    const [order] = ordersOf(await poll());
    expect(Date.parse(order?.at ?? '')).toBeLessThanOrEqual(Date.now());
  });

  it('are split over several events of a bounded size', async () => {
    const { parts, poll } = rig;
    await parts.directory.readMembers?.([guidOf('team')], signal);
    await poll();
    for (let at = 0; at < 600; at++) person(`person-${at}`, false);
    const triggers = triggersOf(await poll());
    expect(triggers.map(({ evidence }) => evidence?.[0]?.people?.length)).toEqual([500, 100]);
  });

  it('of a group that only changed its name do not matter', async () => {
    const { entra, parts, poll } = rig;
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

  it('do not stop the changes of clients if they may not be read', async () => {
    const { entra, parts, poll } = rig;
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
