import { describe, expect, it } from 'vitest';
import { localPerson } from '../../../src/model/cause.js';
import { leftObjectsKey } from '../../../src/model/key.js';
import { approvalsOf, restoreRejections, rulingsOn } from '../../../src/operator/approvals.js';
import { QUARANTINES } from '../../../src/operator/quarantines.js';
import { recordRuling } from '../../../src/operator/ruling-store.js';
import { createRulings, rulingAnswer } from '../../../src/operator/rulings.js';
import { fingerprintOf, holdKey } from '../../../src/plan/holds.js';
import type { Hold } from '../../../src/plan/plan.js';
import type { RecordedHold } from '../../../src/queue/journal.js';
import { NOW } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const ANA = localPerson('ana');
const [BOB, CARL] = [{ id: 'token:bob' }, { id: 'token:carl' }];
const AT = new Date(NOW).toISOString();
const WEB = { provider: 'main', clientId: 'web' };
const QUARANTINED = { ...WEB, closure: 'ClientQuarantined' as const, at: AT, receivedAt: AT };
const ORDERS = 'destination/default/default/orders';
const SUBJECT = 'intention/default/default/orders/web';
const RESOURCE = {
  kind: 'intention',
  source: 'web',
  destination: 'orders',
  namespace: 'default',
  partition: 'default',
};
const HELD: Hold = {
  subject: SUBJECT,
  reason: 'RevocationLimit',
  detail: 'too many',
  action: 'revoke',
  scopes: ['orders'],
  resource: { kind: 'intention', name: 'orders' },
};

const CHANGES: readonly (readonly [string, Partial<RecordedHold>])[] = [
  ['began again', { decisionId: 'hold-2' }],
  ['is another removal', { fingerprint: 'another' }],
];

/** Holds that were recorded, and what people say about them. */
async function start(
  { key = ORDERS, ...held }: Partial<RecordedHold> & { readonly key?: string } = {},
  approvers: 1 | 2 = 2,
) {
  const world = worldWithTwo();
  world.setMapping({ ...world.mapping, approvers, breakGlass: { longestMs: 3_600_000, never: [] } });
  const all = depsOf(world, {});
  const sweeps: string[] = [];
  const deps = { ...all.deps, askForSweep: () => void sweeps.push('asked') };
  const record = async (more: Partial<RecordedHold> = {}) => {
    const hold: RecordedHold = {
      subject: SUBJECT,
      reason: 'RevocationLimit',
      decisionId: 'hold-1',
      since: AT,
      fingerprint: fingerprintOf(HELD),
      ...held,
      ...more,
    };
    await deps.journal.settle(key, [], { holds: new Map([[holdKey(hold), hold]]) });
  };
  await record();
  const rulings = createRulings(deps);
  const say = (verdict: 'approve' | 'reject', by: { readonly id: string }, id = 'hold-1', override = false) =>
    rulings.onHold(id, verdict, by, override);
  /** Whom the next plan has as the approver, and what it counts as rejected. */
  const ruled = async (of: Partial<Hold> = {}) => {
    const { holds } = await deps.journal.overview();
    await restoreRejections(deps);
    const record = (await deps.journal.read(key)).holds;
    return {
      approvedBy: (await approvalsOf(holds, deps))({ ...HELD, ...of })?.id,
      verdict: (await rulingsOn([{ subject: SUBJECT, hold: HELD }], record, deps)).get(SUBJECT)?.verdict,
      rejectedBy: deps.window.rejections.of(SUBJECT)?.by.id,
    };
  };
  return { ...all, deps, world, sweeps, rulings, say, record, ruled };
}

describe('with two approvers', () => {
  it('one person alone releases no hold, however often and by whatever name, and a second one does', async () => {
    const { say, ruled, added, decisions } = await start();
    expect(await say('approve', ANA)).toMatchObject({ kind: 'first', hold: { subject: SUBJECT } });
    for (const again of [ANA, localPerson('bob')])
      expect(await say('approve', again)).toEqual({
        kind: 'refused',
        why: 'local (ana) approved this already, and guards.approvers is 2: another person must approve it too',
      });
    expect(await ruled()).toEqual({});
    expect(added).toEqual([]);
    expect(decisions).toMatchObject([
      {
        type: 'dev.scopemesh.intention.held',
        subject: SUBJECT,
        resource: RESOURCE,
        action: 'none',
        outcome: 'observed',
        reason: 'FirstApproval',
        principal: ANA,
        cause: { kind: 'command', receivedAt: AT, principal: ANA },
        detail: 'local (ana) approved this; another person must approve it too',
      },
    ]);
    expect(await say('approve', BOB)).toMatchObject({ kind: 'ruled', hold: { subject: SUBJECT } });
    expect(await ruled()).toEqual({ approvedBy: 'token:bob', verdict: 'approved' });
    expect(added).toEqual([
      {
        key: { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' },
        cause: { kind: 'command', receivedAt: AT },
        urgent: true,
      },
    ]);
    expect(decisions).toHaveLength(1);
  });

  it.each(CHANGES)('a first approval counts no more for a hold that %s', async (_, change) => {
    const { say, record, ruled } = await start();
    await say('approve', ANA);
    await record(change);
    const id = change.decisionId ?? 'hold-1';
    expect(await say('approve', BOB, id)).toMatchObject({ kind: 'first' });
    expect((await ruled()).approvedBy).toBeUndefined();
    expect(await say('approve', CARL, id)).toMatchObject({ kind: 'ruled' });
  });

  it('one person rejects a hold, which forgets the first approval, and an approval must override that', async () => {
    const { say, ruled, added, decisions } = await start();
    await say('approve', ANA);
    expect(await say('reject', BOB)).toMatchObject({ kind: 'ruled' });
    expect(await ruled()).toEqual({ verdict: 'rejected', rejectedBy: 'token:bob' });
    expect(added).toHaveLength(1);
    expect(decisions.slice(1)).toMatchObject([
      {
        type: 'dev.scopemesh.intention.rejected',
        subject: SUBJECT,
        resource: RESOURCE,
        outcome: 'refused',
        reason: 'RevocationLimit',
        cause: { kind: 'command', receivedAt: AT, principal: BOB },
        detail: 'token:bob rejected this removal; the edge stays as it is',
      },
    ]);
    expect(await say('approve', CARL)).toMatchObject({
      kind: 'rejected',
      hold: { decisionId: 'hold-1' },
      rejection: { by: BOB },
    });
    expect(await say('approve', CARL, 'hold-1', true)).toMatchObject({ kind: 'first' });
    expect(await say('approve', ANA, 'hold-1', true)).toMatchObject({ kind: 'ruled' });
    expect((await ruled()).approvedBy).toBe('local');
    // Who rejects needs no override.
    expect(await say('reject', BOB)).toMatchObject({ kind: 'ruled' });
    expect(await say('reject', BOB)).toMatchObject({ kind: 'ruled' });
  });

  it('a quarantine ends by two persons, by the name of its client, its decision or its hold', async () => {
    const ways = [
      (rig: Awaited<ReturnType<typeof start>>, by: { readonly id: string }) => rig.rulings.release(WEB, by),
      (rig: Awaited<ReturnType<typeof start>>, by: { readonly id: string }) =>
        rig.say('approve', by, 'quarantine-1'),
      (rig: Awaited<ReturnType<typeof start>>, by: { readonly id: string }) => rig.say('approve', by),
    ];
    for (const ask of ways) {
      const rig = await start({ reason: 'ClientQuarantined', client: WEB });
      const { deps, added, decisions } = rig;
      for (const [clientId, decisionId] of [
        ['api', 'quarantine-2'],
        ['web', 'quarantine-1'],
      ] as const)
        await recordRuling(QUARANTINES, { ...QUARANTINED, clientId, decisionId }, {}, deps);
      const hold = { subject: 'quarantine of main/web' };
      expect(await ask(rig, ANA)).toEqual({ kind: 'first', hold });
      expect(await ask(rig, localPerson('bob'))).toMatchObject({ kind: 'refused', why: /another person/ });
      expect(await deps.keyValues.get('release/client/main/web')).toBeUndefined();
      expect(decisions).toMatchObject([
        { reason: 'FirstApproval', resource: { kind: 'client', name: 'web' }, subject: 'client/main/web' },
      ]);
      expect(await ask(rig, BOB)).toEqual({ kind: 'ruled', hold });
      expect(JSON.parse((await deps.keyValues.get('release/client/main/web')) ?? '')).toEqual({
        by: BOB,
        decidedAt: AT,
        upTo: AT,
      });
      expect(added).toEqual([
        {
          key: { kind: 'client', provider: 'main', by: 'clientId', value: 'web' },
          cause: { kind: 'command', receivedAt: AT, principal: BOB },
        },
      ]);
    }
  });

  it('a first approval of one report counts no more after the next report', async () => {
    const { deps, world, rulings } = await start();
    world.setClientBlock(WEB, 'ClientQuarantined');
    // Only Consul knows it.
    expect(await rulings.release(WEB, ANA)).toMatchObject({ kind: 'first' });
    for (const [receivedAt, first, second] of [
      [AT, BOB, ANA],
      ['2030-01-01T00:00:00.000Z', ANA, BOB],
    ] as const) {
      await recordRuling(QUARANTINES, { ...QUARANTINED, receivedAt }, {}, deps);
      expect(await rulings.release(WEB, first)).toMatchObject({ kind: 'first' });
      expect(await rulings.release(WEB, second)).toMatchObject({ kind: 'ruled' });
    }
  });

  it('the person who asked for a break-glass grant does not open it', async () => {
    const { say, world } = await start();
    const found = {
      ...{ id: 'GRANT', source: 'web', destination: 'orders', partition: 'default', namespace: 'default' },
      ...{ reason: 'INC-1', forMs: 60_000, duringFreeze: false, askedAt: NOW, askedBy: ANA },
    };
    world.breakGlass.set([found]);
    expect(await say('approve', ANA, 'GRANT')).toMatchObject({ kind: 'unknown' });
  });
});

describe('with one approver', () => {
  it('a hold is released at once, without a decision about a first approval', async () => {
    const { say, ruled, decisions } = await start({}, 1);
    expect(await say('approve', ANA)).toMatchObject({ kind: 'ruled' });
    expect(await ruled()).toEqual({ approvedBy: 'local', verdict: 'approved' });
    expect(decisions).toEqual([]);
    // An approval is valid for exactly what it approved.
    expect(await ruled({ scopes: ['orders', 'other'] })).toMatchObject({ verdict: 'approved' });
    expect((await ruled({ scopes: ['orders', 'other'] })).approvedBy).toBeUndefined();
  });

  it.each(CHANGES)('no ruling holds for a hold that %s', async (_, change) => {
    for (const verdict of ['approve', 'reject'] as const) {
      const { say, record, ruled } = await start({}, 1);
      expect(await say(verdict, ANA)).toMatchObject({ kind: 'ruled' });
      await record(change);
      const { approvedBy, rejectedBy } = await ruled(change.fingerprint === undefined ? {} : { scopes: [] });
      expect([approvedBy, rejectedBy]).toEqual([undefined, undefined]);
      expect(await say('approve', BOB, change.decisionId)).toMatchObject({ kind: 'ruled' });
    }
  });

  it('nobody releases what waits for no person, or what has no key of its own', async () => {
    for (const held of [
      { reason: 'ForeignSource' },
      { key: 'nowhere' },
      { key: 'nowhere', client: WEB },
    ] as const)
      for (const verdict of ['approve', 'reject'] as const) {
        const { say, added, ruled } = await start(held, 1);
        expect(await say(verdict, ANA)).toMatchObject({ kind: 'unsuitable', hold: { decisionId: 'hold-1' } });
        expect([added, (await ruled()).approvedBy]).toEqual([[], undefined]);
      }
  });

  it('what the mapping must not open can be approved, and rejected in the mapping alone', async () => {
    const { say } = await start({ reason: 'MappingDiffers' }, 1);
    expect(await say('reject', ANA)).toMatchObject({ kind: 'unsuitable' });
    expect(await say('approve', ANA)).toMatchObject({ kind: 'ruled' });
  });

  it('for objects that no job removes the comparison begins', async () => {
    const key = leftObjectsKey('pay');
    const { say, sweeps, added } = await start({ key, subject: 'acl-role/scopemesh-pay-main-web' }, 1);
    expect(await say('approve', ANA)).toMatchObject({ kind: 'ruled' });
    expect([sweeps, added]).toEqual([['asked'], []]);
  });

  it('nothing has an ID that nothing recorded, and no client is released that is in no quarantine', async () => {
    const { deps, say, rulings, added } = await start({ reason: 'ClientQuarantined', client: WEB }, 1);
    for (const verdict of ['approve', 'reject'] as const)
      expect(await say(verdict, ANA, 'unknown')).toEqual({ kind: 'unknown' });
    const released = { ...QUARANTINED, closure: 'Released' as const, decisionId: 'release-1' };
    await recordRuling(QUARANTINES, released, {}, deps);
    expect(await say('approve', ANA, 'release-1')).toEqual({ kind: 'unknown' });
    expect(await rulings.release(WEB, ANA)).toEqual({ kind: 'unknown' });
    expect(await say('approve', ANA)).toMatchObject({ kind: 'unsuitable' });
    expect(added).toEqual([]);
  });
});

it('answers with what was decided, or why nothing was', async () => {
  const hold: RecordedHold = {
    ...{ subject: SUBJECT, reason: 'ForeignSource', decisionId: 'hold-1', since: AT, fingerprint: 'f' },
    detail: 'of another tool',
  };
  const rejection = { by: BOB, at: AT, fingerprint: 'f' };
  const done = { id: 'hold-1', subject: SUBJECT };
  const refused = (text: RegExp) => ({ error: expect.stringMatching(text) });
  for (const [result, answer] of [
    [{ kind: 'ruled', hold }, done],
    [
      { kind: 'ruled', hold, waits: 'for a read' },
      { ...done, waits: 'for a read' },
    ],
    [
      { kind: 'first', hold },
      { ...done, needsSecond: true },
    ],
    [{ kind: 'refused', why: 'no' }, { error: 'no' }],
    [{ kind: 'unknown' }, refused(/no held change has this ID/)],
    [
      { kind: 'unsuitable', hold },
      { ...refused(/held as ForeignSource.* cannot approve/), detail: 'of another tool' },
    ],
    [
      { kind: 'rejected', hold, rejection },
      { ...refused(/token:bob/), detail: expect.stringContaining('approve --override') },
    ],
  ] as const)
    expect(rulingAnswer('hold-1', result, 'approve')).toEqual(answer);
});
