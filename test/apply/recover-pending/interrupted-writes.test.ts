import { describe, expect, test } from 'vitest';
import { recoverPendingClaims } from '../../../src/apply/claim-records.js';
import { draftOf } from '../../../src/apply/decision-drafts.js';
import { inFlightMs } from '../../../src/apply/lost-answers.js';
import { recordsWithPending, recoverPending } from '../../../src/apply/recover-pending.js';
import type { ClaimRecord } from '../../../src/model/catalog.js';
import type { DraftDecision } from '../../../src/model/decision.js';
import type { IntentionEntry } from '../../../src/model/intention.js';
import {
  parseLastAppliedText,
  REMOVED,
  toLastAppliedText,
  toUncertainText,
} from '../../../src/plan/last-applied.js';
import { claimFacts, claimSubject } from '../../../src/plan/plan.js';
import type { KeyRecord, RecordUpdate, SettledDecision } from '../../../src/queue/journal.js';
import { ALLOW, DENY, entry, NOW, named, ourSource, source } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import { applyRig, CAUSE, change, denial, entryOf, loss, NEVER } from '../apply-rig.js';

const KEY = 'destination/default/default/orders';
const AT = 7;
/** Longer than any request is on its way. */
const OVER_MS = 60_000;

function rigOf(pending: readonly DraftDecision[], records: readonly ClaimRecord[] = []) {
  const settled: SettledDecision[] = [];
  const updates: RecordUpdate[] = [];
  const { deps } = depsOf(worldWithTwo(), {});
  const record: KeyRecord = { pending, lastApplied: new Map([['other', 'kept']]), holds: new Map() };
  return {
    settled,
    updates,
    record,
    deps: {
      ...deps,
      consul: { ...deps.consul, claims: { ...deps.consul.claims, list: async () => records } },
      journal: {
        ...deps.journal,
        settle: async (_: string, all: readonly SettledDecision[], update: RecordUpdate = {}) => {
          settled.push(...all);
          updates.push(update);
        },
      },
    },
  };
}

/** The draft of a write that was planned from the entry at index 7. */
const draftFor = (of: ReturnType<typeof change>, more: Partial<DraftDecision> = {}): DraftDecision => ({
  ...draftOf(of, CAUSE, AT, applyRig().stamp),
  writeId: 'one write',
  recordedAt: new Date(NOW - OVER_MS).toISOString(),
  ...more,
});
const at = (modifyIndex: number, found: IntentionEntry) => ({ ...found, modifyIndex });

const adopted = change('web', ALLOW, { reason: 'Adopted', verb: 'updated', before: ALLOW });
const ejected = { ...adopted, reason: 'Ejected' } as const;
const foreignWeb = entry('orders', source('web', ALLOW));

describe('a write of an edge that a crash left open', () => {
  test.each<readonly [string, ReturnType<typeof change>, IntentionEntry | undefined, string]>([
    ['that exists as wanted, at a later index', change('web'), at(8, entryOf('web')), 'applied'],
    ['that is as it was before, at the same index', change('web'), at(AT, entry('orders')), 'failed'],
    ['that is as it was before, at a later index', change('web'), at(8, entry('orders')), 'unknown'],
    ['that is something else', change('web'), at(8, entry('orders', ourSource('web', DENY))), 'unknown'],
    ['whose source is gone with its entry', loss('web'), undefined, 'applied'],
    ['whose source is gone from its entry', loss('web'), at(8, entry('orders')), 'applied'],
    ['whose source still exists, at the same index', loss('web'), at(AT, entryOf('web')), 'failed'],
    ['whose source exists again, at a later index', loss('web'), at(8, entryOf('web')), 'unknown'],
    [
      'that is denied as it was wanted',
      denial('web'),
      at(8, entry('orders', ourSource('web', DENY))),
      'applied',
    ],
    ['that took the mark, which is gone at a later index', ejected, at(8, foreignWeb), 'applied'],
    ['that took the mark, which is there at the same index', ejected, at(AT, entryOf('web')), 'failed'],
    ['that took the mark, which is there at a later index', ejected, at(8, entryOf('web')), 'unknown'],
    ['of the Description alone, at the same index', adopted, at(AT, entryOf('web')), 'failed'],
    ['of the Description alone, at a later index', adopted, at(8, entryOf('web')), 'applied'],
    ['beside a source of somebody else with its name', change('web'), at(8, foreignWeb), 'unknown'],
    ['that took a source away whose name somebody else uses now', loss('web'), at(8, foreignWeb), 'applied'],
  ])('%s', async (_, of, found, outcome) => {
    const rig = rigOf([draftFor(of)]);
    await recoverPending(KEY, rig.record, found, rig.deps);
    expect(rig.settled.map((each) => each.outcome)).toEqual([outcome]);
    expect(rig.settled[0]?.reason).toBe(outcome === 'applied' ? of.reason : 'Interrupted');
    const isKnown = outcome === 'applied' && found !== undefined;
    expect(rig.settled[0]?.consul).toEqual(isKnown ? { modifyIndex: 8 } : undefined);
  });

  test('is remembered as written where it was or may have been made, and what else is remembered stays', async () => {
    const rig = rigOf([draftFor(change('web')), draftFor(change('api'))]);
    const { lastApplied: remembered } = await recoverPending(
      KEY,
      rig.record,
      at(8, entryOf('web')),
      rig.deps,
    );
    const changed = [...remembered].filter(([subject]) => subject !== 'other');
    expect(rig.updates).toEqual([{ lastApplied: new Map(changed) }]);
    expect([...remembered.keys()]).toEqual(['other', change('web').subject, change('api').subject]);
    expect(remembered.get(change('api').subject)).toBe(toUncertainText(['orders:read']));
    const text = remembered.get(change('web').subject);
    expect(parseLastAppliedText(text)?.grants).toEqual([{ name: 'orders:read' }]);
  });

  test('gives the mass guard back only what was never made', async () => {
    const { deps, record } = rigOf([draftFor(loss('web')), draftFor(loss('api'))]);
    for (const { subject } of record.pending) deps.window.reserveEdge(subject, deps.clock.now());
    await recoverPending(KEY, record, at(AT, entryOf('web')), deps);
    expect(deps.window.used(deps.clock.now())).toBe(1);
  });

  test('keeps an earlier removal of its edge counted if it is a grant that was never made', async () => {
    const { deps, record } = rigOf([draftFor(change('web'))]);
    deps.window.reserveEdge(change('web').subject, NOW);
    deps.window.confirmEdge(change('web').subject);
    await recoverPending(KEY, record, at(AT, entry('orders')), deps);
    expect(deps.window.used(NOW)).toBe(1);
  });

  test('keeps an earlier removal of its edge counted while a grant of it may still be made', async () => {
    const { deps, record } = rigOf([draftFor(change('web'), { recordedAt: new Date(NOW).toISOString() })]);
    deps.window.reserveEdge(change('web').subject, NOW);
    deps.window.confirmEdge(change('web').subject);
    const { open } = await recoverPending(KEY, record, at(AT, entry('orders')), deps);
    expect([open.length, deps.window.used(NOW)]).toEqual([1, 1]);
  });

  test('is one of many, and each is judged for itself, in one step', async () => {
    const rig = rigOf(['a', 'b', 'c'].map((name) => draftFor(change(name))));
    const found = at(8, entry('orders', ourSource('a', ALLOW), ourSource('c', DENY)));
    await recoverPending(KEY, rig.record, found, rig.deps);
    expect(rig.settled.map(({ outcome }) => outcome)).toEqual(['applied', 'unknown', 'unknown']);
    expect(rig.updates).toHaveLength(1);
  });
});

describe('the record of an edge after a crash', () => {
  const UNCERTAIN = toUncertainText(['orders:read']);
  const WRITTEN = toLastAppliedText(ALLOW, ['orders:read']);
  const { subject } = change('web');
  const recent = { recordedAt: new Date(NOW - 20_000).toISOString() };
  const narrowed = change('web', DENY, { before: ALLOW, verb: 'updated' });
  const recordsOf = (text: string | undefined) =>
    new Map(text === undefined ? [] : [[subject, text] as const]);

  test.each<
    readonly [
      string,
      DraftDecision,
      IntentionEntry | undefined,
      before: string | undefined,
      after: string | undefined,
    ]
  >([
    ['has the access of Consul', draftFor(change('web')), at(8, entryOf('web')), undefined, WRITTEN],
    [
      'is uncertain if the edge has other access',
      draftFor(change('web')),
      at(8, entry('orders', ourSource('web', DENY))),
      undefined,
      UNCERTAIN,
    ],
    [
      'is uncertain if the edge is gone',
      draftFor(change('web')),
      at(8, entry('orders')),
      undefined,
      UNCERTAIN,
    ],
    ['is uncertain if the entry is gone', draftFor(change('web')), undefined, REMOVED, UNCERTAIN],
    [
      'is of a removed edge if the write was not made',
      draftFor(change('web')),
      at(AT, entry('orders')),
      undefined,
      REMOVED,
    ],
    [
      'is of a removed edge if the write may still be made',
      draftFor(change('web'), recent),
      at(AT, entry('orders')),
      undefined,
      REMOVED,
    ],
    ['stays if the write was not made', draftFor(narrowed), at(AT, entryOf('web')), WRITTEN, WRITTEN],
    [
      'stays if the write may still be made',
      draftFor(narrowed, recent),
      at(AT, entryOf('web')),
      WRITTEN,
      WRITTEN,
    ],
    ['stays if its written edge is gone', draftFor(narrowed), at(8, entry('orders')), WRITTEN, WRITTEN],
    ['stays beside a foreign source', draftFor(change('web')), at(8, foreignWeb), REMOVED, REMOVED],
    [
      'is not made by a removal that was not made',
      draftFor(loss('web')),
      at(AT, entryOf('web')),
      undefined,
      undefined,
    ],
    [
      'is not made by a removal that may have been made',
      draftFor(loss('web')),
      at(8, entryOf('web')),
      undefined,
      undefined,
    ],
  ])('%s', async (_, pending, found, before, after) => {
    const rig = rigOf([pending]);
    const record = { ...rig.record, lastApplied: recordsOf(before) };
    const { lastApplied } = await recoverPending(KEY, record, found, rig.deps);
    expect(lastApplied).toEqual(recordsOf(after));
  });

  test('counts while a write of the edge is open, and never replaces an older one', () => {
    const of = (pending: DraftDecision, before?: string) =>
      recordsWithPending({ pending: [pending], lastApplied: recordsOf(before), holds: new Map() });
    expect(of(draftFor(change('web')))).toEqual(recordsOf(UNCERTAIN));
    expect(of(draftFor(narrowed), WRITTEN)).toEqual(recordsOf(WRITTEN));
    expect(of(draftFor(loss('web')))).toEqual(recordsOf(undefined));
  });
});

test('a request is on its way for 30 s from its record, also if the clock is set back meanwhile', () => {
  const leftMs = (agoMs: number) => inFlightMs({ recordedAt: new Date(NOW - agoMs).toISOString() }, NOW);
  expect([0, 20_000, 30_000, -10_000, -30_000].map(leftMs)).toEqual([30_000, 10_000, 0, 40_000, 0]);
  expect(inFlightMs({}, NOW)).toBe(0);
});

describe('writes of one entry whose answers were lost', () => {
  const recent = { recordedAt: new Date(NOW - 20_000).toISOString() };

  test('stay open while their request may still reach Consul', async () => {
    const rig = rigOf([draftFor(change('web'), recent)]);
    const { open } = await recoverPending(KEY, rig.record, at(AT, entry('orders')), rig.deps);
    expect(open).toEqual(rig.record.pending);
    expect(rig.settled).toEqual([]);
  });

  test('stay open no longer than a clock that was set back allows', async () => {
    const ahead = { recordedAt: new Date(NOW + OVER_MS).toISOString() };
    const rig = rigOf([draftFor(change('web'), ahead)]);
    await recoverPending(KEY, rig.record, at(AT, entry('orders')), rig.deps);
    expect(rig.settled.map(({ outcome }) => outcome)).toEqual(['failed']);
  });

  test.each([
    ['the later', ['web'], ['web', 'api'], ['web', 'api'], ['failed', 'applied', 'applied']],
    [
      'the earlier',
      ['web', 'api'],
      ['web', 'db'],
      ['web', 'api'],
      ['applied', 'applied', 'failed', 'failed'],
    ],
    ['the later of equal ones', ['web'], ['web'], ['web'], ['failed', 'applied']],
    ['the one that explains more', ['web', 'api'], ['web'], ['web', 'api'], ['applied', 'applied', 'failed']],
  ])('are against one index, and only %s is applied', async (_, first, second, found, outcomes) => {
    const draftsOf = (writeId: string, sources: readonly string[]) =>
      sources.map((source) => draftFor(change(source), { ...recent, writeId }));
    const rig = rigOf([...draftsOf('first', first), ...draftsOf('second', second)]);
    await recoverPending(KEY, rig.record, at(8, entryOf(...found)), rig.deps);
    expect(rig.settled.map(({ outcome }) => outcome)).toEqual(outcomes);
  });
});

describe('removals of one edge whose answers were lost', () => {
  const subject = loss('web').subject;
  const removal = (writeId: string, agoMs: number) =>
    draftFor(loss('web'), { writeId, recordedAt: new Date(NOW - agoMs).toISOString() });

  test('count once if one of them was made', async () => {
    const { deps, record } = rigOf([removal('first', 20_000), removal('second', 10_000)]);
    deps.window.reserveEdge(subject, NOW);
    await recoverPending(KEY, record, at(8, entry('orders')), deps);
    expect(deps.window.used(NOW)).toBe(1);
  });

  test('count if one arrives after its failure could not be settled', async () => {
    const { deps, record } = rigOf([removal('first', OVER_MS)]);
    deps.window.reserveEdge(subject, NOW);
    const failing = {
      ...deps,
      journal: { ...deps.journal, settle: () => Promise.reject(new Error('down')) },
    };
    await expect(recoverPending(KEY, record, at(AT, entryOf('web')), failing)).rejects.toThrow('down');
    expect(deps.window.underWay(NOW)).toBe(1);
    await recoverPending(KEY, record, at(8, entry('orders')), deps);
    expect(deps.window.used(NOW)).toBe(1);
  });

  test('count if the first failed before the second was made', async () => {
    const { deps, record } = rigOf([removal('first', OVER_MS), removal('second', 10_000)]);
    deps.window.reserveEdge(subject, NOW);
    const { open } = await recoverPending(KEY, record, at(AT, entryOf('web')), deps);
    expect([open.length, deps.window.used(NOW)]).toEqual([1, 0]);
    await recoverPending(KEY, { ...record, pending: open }, at(8, entry('orders')), deps);
    expect(deps.window.used(NOW)).toBe(1);
  });
});

describe('a write of a claim record that a crash left open', () => {
  const record: ClaimRecord = {
    provider: 'main',
    clientId: 'web',
    service: named('web'),
    modifyIndex: 3,
  };
  const draft = (action: 'grant' | 'revoke'): DraftDecision => {
    const { writeId: _, ...single } = draftFor(change('web'));
    return { ...single, ...claimFacts(record, record.service, action === 'grant') };
  };

  test.each([
    ['grant', 'exists', [record], 'applied'],
    ['grant', 'does not exist', [], 'failed'],
    ['revoke', 'does not exist', [], 'applied'],
    ['revoke', 'exists', [record], 'failed'],
  ] as const)('a %s whose record %s', async (action, _, records, outcome) => {
    const rig = rigOf([draft(action), draftFor(change('api'))], records);
    await recoverPendingClaims('client/main/clientId/web', rig.record, async () => {}, rig.deps, NEVER);
    expect(rig.settled.map((each) => each.outcome)).toEqual([outcome]);
  });

  test.each([
    ['grant', [record]],
    ['revoke', []],
  ] as const)('a %s that was sent twice without an answer is applied once', async (action, records) => {
    const rig = rigOf(
      [
        { ...draft(action), id: 'first' },
        { ...draft(action), id: 'second' },
      ],
      records,
    );
    const open = await recoverPendingClaims(KEY, rig.record, async () => {}, rig.deps, NEVER);
    expect(rig.settled.map(({ id, outcome }) => [id, outcome])).toEqual([
      ['first', 'failed'],
      ['second', 'applied'],
    ]);
    expect(open).toEqual([]);
  });

  test.each(['grant', 'revoke'] as const)(
    'a %s is uncertain if its record cannot be read, but not if that of another client cannot',
    async (action) => {
      const unreadable: ClaimRecord = { ...record, service: named(''), unreadableKey: 'its key' };
      const outcomeWith = async (found: ClaimRecord) => {
        const rig = rigOf([draft(action)], [found]);
        await recoverPendingClaims(KEY, rig.record, async () => {}, rig.deps, NEVER);
        return rig.settled.map(({ outcome, reason }) => [outcome, reason]);
      };
      expect(await outcomeWith(unreadable)).toEqual([['unknown', 'Interrupted']]);
      const [[outcome] = []] = await outcomeWith({ ...unreadable, clientId: 'api' });
      expect(outcome).toBe(action === 'grant' ? 'failed' : 'applied');
    },
  );

  test('is judged apart from an opposite write of the same record', async () => {
    const rig = rigOf([draft('grant'), { ...draft('revoke'), id: 'opposite' }], [record]);
    await recoverPendingClaims(KEY, rig.record, async () => {}, rig.deps, NEVER);
    expect(rig.settled.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['grant', 'applied'],
      ['revoke', 'failed'],
    ]);
  });

  test('is judged by the record of its own client', async () => {
    const another = { ...record, clientId: 'api' };
    const ofAnother = { ...draft('grant'), id: 'another', subject: claimSubject(another, 'web') };
    const outcomesWith = async (...records: readonly ClaimRecord[]) => {
      const rig = rigOf([draft('grant'), ofAnother], records);
      await recoverPendingClaims(KEY, rig.record, async () => {}, rig.deps, NEVER);
      return rig.settled.map(({ outcome }) => outcome);
    };
    expect(await outcomesWith(another)).toEqual(['failed', 'applied']);
    expect(await outcomesWith(record, another)).toEqual(['applied', 'applied']);
  });

  test('stays open while its request may still reach Consul', async () => {
    const recent = { ...draft('grant'), recordedAt: new Date(NOW).toISOString() };
    const rig = rigOf([recent]);
    const open = await recoverPendingClaims(KEY, rig.record, async () => {}, rig.deps, NEVER);
    expect([open, rig.settled]).toEqual([[recent], []]);
  });
});
