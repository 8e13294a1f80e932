import { describe, expect, it } from 'vitest';
import { recoverPendingClaims, writeClaim } from '../../src/apply/claim-records.js';
import type { ClaimRecord } from '../../src/model/catalog.js';
import type { Cause } from '../../src/model/cause.js';
import type { DraftDecision } from '../../src/model/decision.js';
import { type GuardedClaim, guardableClaims } from '../../src/plan/claim-changes.js';
import { claimFacts } from '../../src/plan/plan.js';
import type { Touched } from '../../src/state/touched.js';
import { NOW, named } from '../plan/scene.js';
import { CAUSE, NEVER, UNREACHABLE } from './apply-rig.js';
import { type TargetRig, targetRig } from './target-rig.js';

const KEY = 'client/main/web';
const WEB = { provider: 'main', clientId: 'web' };
const record = (service: string, changes: Partial<ClaimRecord> = {}): ClaimRecord => ({
  ...WEB,
  service: named(service),
  modifyIndex: 5,
  ...changes,
});
const CLIENT = { ...WEB, actorKind: 'workload' } as const;
function changeOf(create: string | undefined, remove?: string): GuardedClaim {
  const plan = {
    client: CLIENT,
    create: create === undefined ? undefined : named(create),
    remove: remove === undefined ? undefined : record(remove),
  };
  const [change] = guardableClaims(plan, { plansNarrowing: true }).plan.changes;
  if (change === undefined) throw new Error('no change');
  return change;
}
const CREATE = changeOf('new');
const REMOVE = changeOf(undefined, 'old');

/** Writes the plan; `touched` is how often the caller was called. */
async function written(
  rig: TargetRig,
  change: GuardedClaim,
  {
    overtaken = [] as readonly DraftDecision[],
    cause = CAUSE as Cause,
    isAsPlanned = (): boolean => true,
  } = {},
) {
  const touched: Touched[] = [];
  const onTouched = async (each: Touched) => void touched.push(each);
  const end = await writeClaim(KEY, change, overtaken, cause, onTouched, rig.deps, NEVER, isAsPlanned);
  return { end, touched: touched.length };
}

const draft = (
  id: string,
  service: string,
  isNew: boolean,
  changes: Partial<DraftDecision> = {},
): DraftDecision => ({
  id,
  type: 'dev.scopemesh.claim.created',
  ...claimFacts(WEB, named(service), isNew),
  source: 'scopemesh/pay/test',
  cause: CAUSE,
  mappingRevision: 'sha256:test',
  expectedIndex: 0,
  recordedAt: new Date(NOW).toISOString(),
  ...changes,
});
const outcomes = ({ settled }: TargetRig) => settled.map(({ outcome, reason }) => `${outcome} ${reason}`);

describe('the records of who claimed a client first', () => {
  it('are removed and created, each with its decision, and need no other read', async () => {
    const rig = targetRig();
    rig.records = [record('old')];
    for (const plan of [REMOVE, CREATE])
      expect(await written(rig, plan, { cause: { ...CAUSE, principal: { id: 'ann' } } })).toEqual({
        end: 'written',
        touched: 1,
      });
    expect(rig.log.filter((line) => line !== 'woke the relay')).toEqual([
      `record ${KEY} old`,
      'delete web old',
      `settle ${KEY} old applied`,
      `record ${KEY} new`,
      'create web new',
      `settle ${KEY} new applied`,
    ]);
    const fields = {
      source: 'scopemesh/pay/test',
      client: { ...WEB, actorKind: 'workload' },
      principal: { id: 'ann' },
      mappingRevision: 'sha256:test',
    };
    expect(rig.settled).toMatchObject([
      { ...fields, type: 'dev.scopemesh.claim.deleted', action: 'revoke', before: { service: 'old' } },
      { ...fields, type: 'dev.scopemesh.claim.created', action: 'grant', after: { service: 'new' } },
    ]);
    expect(rig.world.claimRecords.map(({ service }) => service.name)).toEqual(['new']);
  });

  it('have the index of their write in the decision, and a deletion has none of its own', async () => {
    const rig = targetRig();
    await written(rig, CREATE);
    await written(rig, changeOf(undefined, 'new'));
    expect(rig.settled.map(({ outcome, consul }) => [outcome, consul])).toEqual([
      ['applied', { modifyIndex: 9 }],
      ['applied', undefined],
    ]);
  });

  it('are read again if the answer does not show the index of the new one', async () => {
    const rig = targetRig();
    rig.isIndexHidden = true;
    await written(rig, CREATE);
    expect(rig.log.at(-1)).toBe('list');
    expect(rig.world.claimRecords).toMatchObject([{ service: named('new'), modifyIndex: 9 }]);
  });

  it('expect what was read, and nothing where one is new', async () => {
    const rig = targetRig();
    rig.before = () => {
      throw UNREACHABLE;
    };
    for (const plan of [REMOVE, CREATE]) await expect(written(rig, plan)).rejects.toBe(UNREACHABLE);
    expect(
      [...rig.pending.values()].map(({ expectedIndex, recordedAt }) => [expectedIndex, recordedAt]),
    ).toEqual([
      [5, new Date(NOW).toISOString()],
      [0, new Date(NOW).toISOString()],
    ]);
  });

  it('that Consul refuses are settled so, and are read again', async () => {
    const rig = targetRig();
    rig.records = [record('old')];
    rig.refused = 'no permission';
    await expect(written(rig, REMOVE)).rejects.toMatchObject({
      code: 'ERR_CONSUL_REJECTED',
      message: 'no permission',
      retriable: false,
    });
    expect(outcomes(rig)).toEqual(['failed ConsulRefused']);
    expect(rig.log.filter((line) => /^(delete|create|list)/.test(line))).toEqual(['delete web old', 'list']);
    expect(rig.pending.size).toBe(0);
  });

  it('that another writer changed have no decision, and are read again', async () => {
    const rig = targetRig();
    expect(await written(rig, REMOVE)).toEqual({ end: 'unwritten', touched: 1 });
    expect(outcomes(rig)).toEqual([]);
    expect(rig.pending.size).toBe(0);
    expect(rig.log.at(-1)).toBe('list');
  });

  it('without an answer about them are a conflict', async () => {
    const rig = targetRig();
    rig.deps.consul.claims.write = async () => [];
    expect(await written(rig, CREATE)).toEqual({ end: 'unwritten', touched: 1 });
    expect(outcomes(rig)).toEqual([]);
    expect(rig.pending.size).toBe(0);
  });

  it('are neither removed nor created once they are no longer as planned, and are read again', async () => {
    const rig = targetRig();
    for (const plan of [REMOVE, CREATE])
      expect(await written(rig, plan, { isAsPlanned: () => false })).toEqual({ end: 'stale', touched: 1 });
    expect(rig.log.filter((line) => /^(delete|create|list)/.test(line))).toEqual(['list', 'list']);
    expect(outcomes(rig)).toEqual([]);
    expect(rig.pending.size).toBe(0);
  });

  it('end the earlier writes whose answer was lost, unless another writer was first', async () => {
    const overtaken = [draft('lost', 'old', false)];
    const rig = targetRig();
    rig.records = [record('old')];
    await written(rig, REMOVE, { overtaken });
    expect(outcomes(rig)).toEqual(['failed Interrupted', 'applied ClaimRemoved']);
    const other = targetRig();
    await written(other, REMOVE, { overtaken });
    expect(outcomes(other)).toEqual([]);
  });
});

describe('a write of such a record that a crash left open', () => {
  async function recovered(rig: TargetRig, ...pending: readonly DraftDecision[]) {
    await rig.leave(KEY, ...pending);
    let touched = 0;
    const onTouched = async () => {
      touched++;
    };
    const key = { pending, lastApplied: new Map<string, string>(), holds: new Map() };
    const open = await recoverPendingClaims(KEY, key, onTouched, rig.deps, NEVER);
    return { open: open.map(({ id }) => id), outcomes: outcomes(rig), touched };
  }

  it.each([
    ['was created', true, [record('new')], 'applied ClaimAdded'],
    ['was removed', false, [], 'applied ClaimRemoved'],
    [
      'was removed beside the record of another client',
      false,
      [record('new', { clientId: 'job' })],
      'applied ClaimRemoved',
    ],
    ['is of another service', false, [record('other')], 'applied ClaimRemoved'],
  ])('is made where it %s', async (_how, isNew, records, expected) => {
    const rig = targetRig();
    rig.records = [...records];
    expect(await recovered(rig, draft('a', 'new', isNew))).toEqual({
      open: [],
      outcomes: [expected],
      touched: 1,
    });
    expect(rig.world.claimRecords).toEqual(records);
    expect(rig.pending.size).toBe(0);
  });

  it.each([
    ['created', true, []],
    ['removed', false, [record('new')]],
  ])(
    'is open where it was not %s yet, and was not made once it can no longer come',
    async (_how, isNew, records) => {
      const rig = targetRig();
      rig.records = [...records];
      rig.nowMs = NOW + 29_999;
      expect(await recovered(rig, draft('a', 'new', isNew))).toMatchObject({ open: ['a'], outcomes: [] });
      expect(rig.pending.size).toBe(1);
      rig.nowMs = NOW + 30_000;
      expect(await recovered(rig, draft('a', 'new', isNew))).toMatchObject({
        open: [],
        outcomes: ['failed Interrupted'],
      });
    },
  );

  it('is unknown where the record cannot be read', async () => {
    const rig = targetRig();
    rig.records = [record('', { unreadableKey: 'k' })];
    const { open, outcomes: found } = await recovered(rig, draft('a', 'new', true), draft('b', 'old', false));
    expect([open, found]).toEqual([[], ['unknown Interrupted', 'unknown Interrupted']]);
    expect(rig.settled[0]?.detail).toContain('cannot be read now');
  });

  it('is made once where several are equal, by the last of them', async () => {
    const rig = targetRig();
    rig.records = [record('new')];
    const three = [draft('a', 'new', true), draft('b', 'new', true), draft('c', 'old', false)];
    expect((await recovered(rig, ...three)).outcomes).toEqual([
      'failed Interrupted',
      'applied ClaimAdded',
      'applied ClaimRemoved',
    ]);
  });

  it('is judged apart from one of another service, and from the opposite one', async () => {
    const gone = targetRig();
    const removals = [draft('a', 'new', false), draft('b', 'old', false)];
    expect((await recovered(gone, ...removals)).outcomes).toEqual([
      'applied ClaimRemoved',
      'applied ClaimRemoved',
    ]);
    const opposite = targetRig();
    opposite.nowMs = NOW + 30_000;
    const both = [draft('a', 'new', false), draft('b', 'new', true)];
    expect((await recovered(opposite, ...both)).outcomes).toEqual([
      'applied ClaimRemoved',
      'failed Interrupted',
    ]);
  });

  it('is not one of another kind, and nothing is read for that', async () => {
    const rig = targetRig();
    const other = draft('a', 'new', true, { resource: { kind: 'intention', source: 'web' } });
    expect(await recovered(rig, other)).toEqual({ open: [], outcomes: [], touched: 0 });
    expect(rig.log).toEqual([]);
  });
});
