import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freezeText, longestFreeze, scheduledFreeze } from '../../src/plan/freeze.js';
import type { Plan } from '../../src/plan/plan.js';
import { guarded } from './guarded.js';
import {
  DENY,
  entriesOf,
  entry,
  mapping,
  ourSource,
  planOf,
  plansOf,
  rule,
  scene,
  sceneAfter,
} from './scene.js';
import { someScene } from './worlds.js';

const weekend = { schedule: '0 18 * * 5', durationMs: 60 * 3_600_000, timeZone: 'Europe/Berlin' };
const at = (text: string, of = weekend) => {
  const freeze = scheduledFreeze(of, Date.parse(text));
  return freeze?.until === undefined
    ? undefined
    : [new Date(freeze.since).toISOString(), new Date(freeze.until).toISOString()];
};

describe('a freeze of a schedule', () => {
  test('lasts from its second to the one in which its duration is over', () => {
    const whole = ['2026-11-27T17:00:00.000Z', '2026-11-30T05:00:00.000Z'];
    expect(at('2026-11-27T16:59:59.999Z')).toBeUndefined();
    expect(at('2026-11-27T17:00:00.000Z')).toEqual(whole);
    expect(at('2026-11-30T04:59:59.999Z')).toEqual(whole);
    expect(at('2026-11-30T05:00:00.000Z')).toBeUndefined();
  });

  test('begins by the clock of its time zone, and lasts as long, when the clocks change', () => {
    // Summer time begins on Sunday 29 March 2026 and ends on Sunday 25 October 2026.
    expect(at('2026-03-29T12:00:00Z')).toEqual(['2026-03-27T17:00:00.000Z', '2026-03-30T05:00:00.000Z']);
    expect(at('2026-04-03T16:00:00Z')).toEqual(['2026-04-03T16:00:00.000Z', '2026-04-06T04:00:00.000Z']);
    expect(at('2026-10-25T12:00:00Z')).toEqual(['2026-10-23T16:00:00.000Z', '2026-10-26T04:00:00.000Z']);
  });

  test('begins once in the hour that is repeated, and at the end of the hour that is skipped', () => {
    const night = { schedule: '30 2 * * *', durationMs: 1_800_000, timeZone: 'Europe/Berlin' };
    expect(at('2026-10-25T00:30:00Z', night)).toBeDefined();
    expect(at('2026-10-25T01:30:00Z', night)).toBeUndefined();
    expect(at('2026-03-29T00:59:59Z', night)).toBeUndefined();
    expect(at('2026-03-29T01:00:00Z', night)?.[0]).toBe('2026-03-29T01:00:00.000Z');
  });

  test('is the one that ends last where several are in effect', () => {
    const [short, long] = [1, 2].map((until) => ({ kind: 'scheduled' as const, since: 0, until }));
    const open = { kind: 'started' as const, since: 0 };
    expect(longestFreeze([undefined, short, long])).toBe(long);
    expect(longestFreeze([long, open, short])).toBe(open);
    expect(longestFreeze([])).toBeUndefined();
    const first = { kind: 'scheduled' as const, since: 0, until: 1 };
    expect(longestFreeze([first, { ...first }])).toBe(first);
    expect(longestFreeze([first, undefined])).toBe(first);
  });
});

describe('the text of a freeze', () => {
  const until = Date.parse('2026-11-30T05:00:00Z');

  test('says when a scheduled one ends', () => {
    expect(freezeText({ kind: 'scheduled', since: 0, until })).toBe(
      'guards.freeze lets only revocations pass until 2026-11-30T05:00:00.000Z',
    );
  });

  test('says who started one, why, and what ends it', () => {
    expect(freezeText({ kind: 'started', since: 0, reason: 'release', by: { id: 'os:alice' } })).toBe(
      'os:alice started a freeze, which lets only revocations pass until scopemesh freeze end: release',
    );
    expect(freezeText({ kind: 'started', since: 0, until })).toBe(
      'a person started a freeze, which lets only revocations pass until 2026-11-30T05:00:00.000Z: no reason given',
    );
  });
});

const freeze = { kind: 'started', since: 0, reason: 'release', by: { id: 'os:alice' } } as const;
const only = (plans: readonly Plan[]) =>
  plans.map((plan) => {
    const { changes, holds } = guarded(plan, { freeze });
    return { ...plan, changes, holds };
  });

describe('while access is frozen', () => {
  test('nothing widens in any world, every narrowing is made, and what is left is made afterwards', () => {
    fc.assert(
      fc.property(someScene, (world) => {
        const plans = plansOf(world);
        const frozen = only(plans);
        for (const [at, { changes, holds }] of frozen.entries()) {
          expect(changes.filter(({ widens, narrows }) => widens || !narrows)).toEqual([]);
          const made = new Set(changes.map(({ subject }) => subject));
          const held = new Set(
            holds.flatMap(({ subject, reason }) => (reason === 'Frozen' ? [subject] : [])),
          );
          for (const change of plans[at]?.changes ?? []) {
            if (change.isUnrecorded === true) continue;
            if (change.narrows) expect(made).toContain(change.subject);
            if (change.widens || !change.narrows) expect(held).toContain(change.subject);
          }
        }
        const during = sceneAfter(world, frozen);
        expect(only(plansOf(during)).flatMap(({ changes }) => changes)).toEqual([]);
        const after = sceneAfter(during, plansOf(during));
        expect(plansOf(after).flatMap(({ changes }) => changes)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('a replacement becomes the intersection, and the rest opens later for its own reason', () => {
    const methods = (...some: readonly string[]) =>
      ({ kind: 'http', permissions: [{ methods: some, pathPrefix: '/' }] }) as const;
    const before = scene({
      mapping: mapping({ rules: [rule('orders', 'orders', { methods: ['GET', 'PUT'], path: '/' })] }),
      entries: entriesOf(entry('orders', ourSource('web', methods('GET', 'DELETE')))),
    });
    const [plan] = only([planOf(before)]);
    expect(plan).toMatchObject({
      changes: [{ action: 'revoke', after: methods('GET'), widens: false }],
      holds: [{ reason: 'Frozen', detail: expect.stringContaining('os:alice started a freeze') }],
    });
    // The rest is no drift: it was never written.
    expect(plan?.changes[0]).not.toHaveProperty('remembered');
    const later = planOf(sceneAfter(before, plan === undefined ? [] : [plan]));
    expect(later.changes).toMatchObject([
      { action: 'grant', reason: 'ScopeGranted', after: methods('GET', 'PUT') },
    ]);
  });

  test('an approved change that would widen is held, and its approval stays valid', () => {
    const marked = scene({
      mapping: mapping({ rules: [rule('orders', 'orders')] }),
      entries: entriesOf(entry('orders', ourSource('web', DENY))),
      unrecorded: undefined,
    });
    const plan = planOf(marked);
    const [change] = plan.changes;
    expect(change).toMatchObject({ widens: true, isUnrecorded: true });
    const verdict = { verdict: 'approved', by: { id: 'bob' }, at: '2026-01-01T00:00:00.000Z' } as const;
    const rulings = new Map([[change?.subject ?? '', verdict]]);
    const frozen = guarded(plan, { rulings, freeze });
    expect(frozen).toMatchObject({ changes: [], used: [] });
    expect(frozen.holds.map(({ reason }) => reason).toSorted()).toEqual(['Frozen', 'MarkUnrecorded']);
    expect(guarded(plan, { rulings })).toMatchObject({ changes: [{ approvedBy: { id: 'bob' } }], holds: [] });
  });
});
