import { describe, expect, it } from 'vitest';
import { draftOf } from '../../src/apply/decision-drafts.js';
import { recordsWithPending, recoverPending } from '../../src/apply/recover-pending.js';
import type { DraftDecision } from '../../src/model/decision.js';
import type { IntentionEntry, IntentionSource } from '../../src/model/intention.js';
import { REMOVED, toLastAppliedText, toUncertainText } from '../../src/plan/last-applied.js';
import type { Change } from '../../src/plan/plan.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, DENY, entry, mapping, NOW, ourSource, SETTINGS, source } from '../plan/scene.js';
import { applyRig, CAUSE, change, KEY, loss } from './apply-rig.js';

/** The index of the entry when the writes were sent. */
const SENT = 7;
const OVER_MS = 30_000;
const OPENS_BY = ['orders:read'];
const SUBJECT = change('web').subject;

/** The entry with these sources; another writer, or the write itself, has moved its index. */
const moved = (...sources: readonly IntentionSource[]): IntentionEntry => ({
  ...entry('orders', ...sources),
  modifyIndex: SENT + 1,
});

/** What the next run of the destination makes of open writes. */
async function recovered(
  changes: readonly Change[],
  now: IntentionEntry | undefined,
  {
    afterMs = 0,
    records = new Map<string, string>(),
    removed = [] as readonly string[],
    edit = (draft: DraftDecision) => draft,
  }: {
    afterMs?: number;
    records?: ReadonlyMap<string, string>;
    /** Edges that scopemesh removed before. */
    removed?: readonly string[];
    edit?: (draft: DraftDecision, at: number) => DraftDecision;
  } = {},
) {
  const rig = applyRig();
  const warnings: string[] = [];
  const window = new RevocationWindow(600_000);
  for (const subject of removed) {
    window.reserveEdge(subject, NOW);
    window.confirmEdge(subject);
  }
  const pending = changes.map((each, at) => edit(draftOf(each, CAUSE, SENT, rig.stamp), at));
  for (const { subject, action } of pending) if (action !== 'grant') window.reserveEdge(subject, NOW);
  await rig.deps.journal.record(KEY, pending);
  rig.log.length = 0;
  const { lastApplied, open } = await recoverPending(
    KEY,
    { pending, lastApplied: records, holds: new Map() },
    now,
    {
      ...rig.deps,
      clock: { ...rig.deps.clock, now: () => NOW + afterMs },
      logger: { ...rig.deps.logger, warn: (_fields, text) => warnings.push(text) },
      world: new WorldState(mapping(), SETTINGS),
      window,
    },
  );
  return {
    rig,
    warnings,
    records: Object.fromEntries(lastApplied),
    open: open.map(({ subject }) => subject),
    outcomes: rig.settled.map(({ outcome, reason }) => `${outcome} ${reason}`),
    counted: window.used(NOW),
    stored: JSON.parse(window.toText()).length,
  };
}

describe('a write of an entry that a crash left open', () => {
  it('is made where the entry shows it, and is remembered as what is there', async () => {
    const found = await recovered([change('web')], moved(ourSource('web', ALLOW)));
    expect(found.outcomes).toEqual(['applied ScopeGranted']);
    expect(found.rig.settled[0]?.consul).toEqual({ modifyIndex: SENT + 1 });
    expect(found.records).toEqual({ [SUBJECT]: toLastAppliedText(ALLOW, OPENS_BY) });
    expect(found.rig.updates).toEqual([{ lastApplied: new Map(Object.entries(found.records)) }]);
    expect(found.open).toEqual([]);
    expect(found.warnings).toEqual(['settled a write that a crash or a lost answer left open']);
    expect(found.rig.timed).toEqual([]);
  });

  it('and that removed an edge is made where the edge is gone, and counts', async () => {
    const found = await recovered([loss('web', { opensBy: [] })], moved(ourSource('job', ALLOW)), {
      records: new Map([[SUBJECT, toLastAppliedText(ALLOW, OPENS_BY)]]),
    });
    expect(found.outcomes).toEqual(['applied ScopeRevoked']);
    expect(found.records).toEqual({ [SUBJECT]: REMOVED });
    expect(found.counted).toBe(1);
  });

  it('and that removed the last edge is made where the entry is gone', async () => {
    const found = await recovered([loss('web')], undefined);
    expect(found.outcomes).toEqual(['applied ScopeRevoked']);
    expect(found.rig.settled[0]?.consul).toBeUndefined();
  });

  it('stays open while its request may still come, and its edge counts as one that was removed', async () => {
    const found = await recovered([change('web')], entry('orders'), { afterMs: OVER_MS - 1 });
    expect(found.open).toEqual([SUBJECT]);
    expect(found.outcomes).toEqual([]);
    expect(found.rig.pending.size).toBe(1);
    expect(found.records).toEqual({ [SUBJECT]: REMOVED });
    const removal = await recovered([loss('web')], entry('orders', ourSource('web', ALLOW)));
    expect(removal.open).toEqual([SUBJECT]);
    expect(removal.records).toEqual({});
    // The plans of the fleet count it until it is known.
    expect([removal.counted, removal.stored]).toEqual([0, 1]);
  });

  it('was not made where nothing changed until its request can no longer come, and is not counted', async () => {
    const found = await recovered([change('web')], entry('orders'), { afterMs: OVER_MS });
    expect(found.outcomes).toEqual(['failed Interrupted']);
    expect(found.records).toEqual({ [SUBJECT]: REMOVED });
    const removal = await recovered([loss('web')], entry('orders', ourSource('web', ALLOW)), {
      afterMs: OVER_MS,
    });
    expect(removal.outcomes).toEqual(['failed Interrupted']);
    expect([removal.counted, removal.stored]).toEqual([0, 0]);
  });

  it('is unknown where the edge is another one now, and counts if it may have removed something', async () => {
    const found = await recovered([change('web')], moved(ourSource('web', DENY)));
    expect(found.outcomes).toEqual(['unknown Interrupted']);
    expect(found.records).toEqual({ [SUBJECT]: toUncertainText(OPENS_BY) });
    const removal = await recovered([loss('web')], moved(ourSource('web', DENY)));
    expect(removal.outcomes).toEqual(['unknown Interrupted']);
    expect(removal.counted).toBe(1);
    expect(removal.records).toEqual({});
  });

  it.each([
    ['without a record', undefined, toUncertainText(OPENS_BY)],
    ['that was removed before', REMOVED, toUncertainText(OPENS_BY)],
    ['that was written before', toLastAppliedText(DENY, []), toLastAppliedText(DENY, [])],
  ])('of an edge %s may have been made though the edge is not there', async (_how, record, expected) => {
    const records = new Map(record === undefined ? [] : [[SUBJECT, record] as const]);
    const found = await recovered([change('web')], moved(ourSource('job', ALLOW)), { records });
    expect(found.outcomes).toEqual(['unknown Interrupted']);
    expect(found.records).toEqual({ [SUBJECT]: expected });
  });

  it('leaves the record of a removed edge where others have one of its name now', async () => {
    const records = new Map([[SUBJECT, REMOVED]]);
    const theirs = moved(ourSource('job', ALLOW), source('web', ALLOW, 'by hand'));
    expect((await recovered([change('web')], theirs, { records })).records).toEqual({ [SUBJECT]: REMOVED });
  });

  it('of a removal gives an edge that is not there no record, also where it cannot have been made', async () => {
    const found = await recovered([loss('web')], entry('orders'));
    expect(found.outcomes).toEqual(['unknown Interrupted']);
    expect(found.records).toEqual({});
  });

  it.each([
    ['failed', OVER_MS],
    ['is open', 0],
  ])('of a grant that %s leaves an earlier removal of its edge counted', async (_how, afterMs) => {
    const found = await recovered([change('web')], entry('orders'), { afterMs, removed: [SUBJECT] });
    expect([found.counted, found.stored]).toEqual([1, 1]);
  });

  it.each([
    ['may still come, counts as removed', 0, REMOVED],
    ['was not made, may be of an earlier one', OVER_MS, toUncertainText(OPENS_BY)],
  ])('of an edge that is there without a record, and that %s', async (_how, afterMs, expected) => {
    const opening = change('web', ALLOW, { verb: 'updated', before: DENY });
    const found = await recovered([opening], entry('orders', ourSource('web', DENY)), { afterMs });
    expect(found.outcomes).toEqual(afterMs === 0 ? [] : ['failed Interrupted']);
    expect(found.records).toEqual({ [SUBJECT]: expected });
  });

  it('is not taken for made by a source of others with its name', async () => {
    const found = await recovered([change('web')], moved(source('web', ALLOW, 'by hand')));
    expect(found.outcomes).toEqual(['unknown Interrupted']);
    const removal = await recovered([loss('web')], moved(source('web', ALLOW, 'by hand')));
    expect(removal.outcomes).toEqual(['applied ScopeRevoked']);
  });

  it('of content that scopemesh does not write is remembered as nothing of its own', async () => {
    const other = { ...ourSource('web', ALLOW), access: { kind: 'other' } as const };
    const edit = (draft: DraftDecision) => ({ ...draft, after: { access: 'other' } });
    const found = await recovered([change('web')], moved(other), { edit });
    expect(found.outcomes).toEqual(['applied ScopeGranted']);
    expect(found.records).toEqual({ [SUBJECT]: toLastAppliedText(undefined, OPENS_BY) });
  });

  it('without scopes in its record, as of an earlier version, is judged all the same', async () => {
    const edit = ({ opensBy: _, ...draft }: DraftDecision): DraftDecision => draft;
    const made = await recovered([change('web')], moved(ourSource('web', ALLOW)), { edit });
    expect(made.records).toEqual({ [SUBJECT]: toLastAppliedText(ALLOW, []) });
    const changed = await recovered([change('web')], moved(ourSource('web', DENY)), { edit });
    expect(changed.records).toEqual({ [SUBJECT]: toUncertainText([]) });
    const gone = await recovered([change('web')], moved(), { edit });
    expect(gone.records).toEqual({ [SUBJECT]: toUncertainText([]) });
  });

  it('beside another one about the same edge counts once, as made', async () => {
    const two = [loss('web'), loss('web')];
    const made = await recovered(two, moved());
    expect(made.outcomes).toEqual(['failed Interrupted', 'applied ScopeRevoked']);
    expect(made.counted).toBe(1);
    // One of them may still come, so nothing is released.
    const edit = (draft: DraftDecision, at: number) => ({
      ...draft,
      recordedAt: new Date(NOW - (at === 0 ? OVER_MS : 0)).toISOString(),
    });
    const open = await recovered(two, entry('orders', ourSource('web', ALLOW)), { edit });
    expect(open.outcomes).toEqual(['failed Interrupted']);
    expect(open.open).toEqual([SUBJECT]);
    expect([open.counted, open.stored]).toEqual([0, 1]);
  });

  it('of none leaves the records as they are', async () => {
    const records = new Map([['x', 'y']]);
    const found = await recovered([], moved(), { records });
    expect(found.records).toEqual({ x: 'y' });
    expect(found.rig.log).toEqual([]);
  });
});

describe('an ejection that a crash left open', () => {
  const ejection = [loss('web', { reason: 'Ejected', verb: 'updated', after: ALLOW })];

  it('is made where the edge has lost its mark', async () => {
    const found = await recovered(ejection, moved(source('web', ALLOW, 'web')));
    expect(found.outcomes).toEqual(['applied Ejected']);
  });

  it('was not made where nothing changed', async () => {
    const found = await recovered(ejection, entry('orders', ourSource('web', ALLOW)), { afterMs: OVER_MS });
    expect(found.outcomes).toEqual(['failed Interrupted']);
  });

  it('is unknown where the entry changed and the mark is there, or there again', async () => {
    const found = await recovered(ejection, moved(ourSource('web', ALLOW)), { afterMs: OVER_MS });
    expect(found.outcomes).toEqual(['unknown Interrupted']);
  });
});

describe('the records of a key with open writes', () => {
  const recordOf = (each: Change, lastApplied: ReadonlyMap<string, string> = new Map(), edit: object = {}) =>
    recordsWithPending({
      pending: [{ ...draftOf(each, CAUSE, SENT, applyRig().stamp), ...edit }],
      lastApplied,
      holds: new Map(),
    });

  it('have an edge that may have been written, so that it is no one else’s', () => {
    expect([...recordOf(change('web'))]).toEqual([[SUBJECT, toUncertainText(OPENS_BY)]]);
    expect([...recordOf(change('web'), undefined, { opensBy: undefined })]).toEqual([
      [SUBJECT, toUncertainText([])],
    ]);
  });

  it('keep what is known of an edge, and have nothing of a removal or of another kind', () => {
    const known = new Map([[SUBJECT, 'known']]);
    expect(recordOf(change('web'), known)).toEqual(known);
    expect(recordOf(change('job'), known).get(SUBJECT)).toBe('known');
    expect(recordOf(loss('web')).size).toBe(0);
    expect(recordOf(change('web'), undefined, { resource: { kind: 'claim', name: 'web' } }).size).toBe(0);
  });
});
