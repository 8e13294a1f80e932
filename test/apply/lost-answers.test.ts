import { describe, expect, it } from 'vitest';
import { inFlightMs, judgeWrites, type WriteEvidence } from '../../src/apply/lost-answers.js';
import type { DraftDecision } from '../../src/model/decision.js';
import { NOW } from '../plan/scene.js';
import { applyRig, draft as draftFor } from './apply-rig.js';

const at = (ms: number) => new Date(NOW + ms).toISOString();
const draft = (id: string, changes: Partial<DraftDecision> = {}): DraftDecision => ({
  ...draftFor('web', applyRig()),
  id,
  before: 'old',
  after: 'new',
  expectedIndex: 7,
  recordedAt: at(0),
  ...changes,
});

const seen = (view: unknown, index?: number): WriteEvidence => ({
  find: () => ({ isNow: (wanted) => wanted === view, ...(index === undefined ? {} : { index }) }),
});
const outcomeIn = (found: ReturnType<typeof judgeWrites>, one: DraftDecision) => {
  const outcome = found.get(one);
  return typeof outcome === 'object' ? outcome.outcome : outcome;
};

describe('the time for which a request may be on its way', () => {
  it.each([
    ['just now', at(0), 30_000],
    ['ten seconds ago', at(-10_000), 20_000],
    ['half a minute ago', at(-30_000), 0],
    ['a little later by another clock', at(1_000), 31_000],
    ['far later, before the clock was set back', at(30_000), 0],
    ['at no instant', undefined, 0],
    ['at an instant that cannot be read', 'x', 0],
  ])('is what is left of half a minute: recorded %s', (_when, recordedAt, leftMs) => {
    expect(inFlightMs(recordedAt === undefined ? {} : { recordedAt }, NOW)).toBe(leftMs);
  });
});

describe('a write whose answer was lost', () => {
  const judged = (one: DraftDecision, view: unknown, index: number, nowMs = NOW) =>
    judgeWrites([one], seen(view, index), nowMs).get(one);

  it('was made where the object is as wanted, and its index moved or it is absent', () => {
    expect(judged(draft('a'), 'new', 8)).toEqual({ outcome: 'applied', modifyIndex: 8 });
    expect(judged(draft('a', { after: null }), null, 0)).toEqual({ outcome: 'applied' });
    expect(judged(draft('a', { after: null, expectedIndex: 0 }), null, 0)).toEqual({ outcome: 'applied' });
  });

  it('is open while it may come and nothing changed, and was not made after that', () => {
    expect(judged(draft('a'), 'old', 7)).toBeUndefined();
    expect(judged(draft('a'), 'old', 7, NOW + 29_999)).toBeUndefined();
    expect(judged(draft('a'), 'old', 7, NOW + 30_000)).toMatchObject({
      outcome: 'failed',
      reason: 'Interrupted',
    });
    // A write that changes nothing of what decisions show is not made as long as the index stays.
    expect(judged(draft('a', { after: 'old' }), 'old', 7)).toBeUndefined();
  });

  it.each([
    ['neither as before nor as wanted', 'other', 8],
    ['as before under another index', 'old', 8],
    ['as wanted under the index before', 'new', 7],
  ])('is unknown where the object is %s', (_how, view, index) => {
    expect(judged(draft('a'), view, index)).toMatchObject({
      outcome: 'unknown',
      reason: 'Interrupted',
      detail: expect.stringContaining('cannot be known'),
    });
  });
});

describe('of several writes against one index', () => {
  /** Each draft finds what its `after` or its `before` says. */
  const outcomes = (made: readonly string[], ...drafts: readonly DraftDecision[]) => {
    const find: WriteEvidence['find'] = ({ id }) => ({
      isNow: (view) => view === (made.includes(id) ? 'new' : 'old'),
      index: made.length > 0 ? 8 : 7,
    });
    const found = judgeWrites(drafts, { find }, NOW);
    return drafts.map((each) => outcomeIn(found, each) ?? 'open');
  };
  const part = (id: string, writeId: string) => draft(id, { writeId });

  it('the latest was made, where each of them explains as much', () => {
    expect(outcomes(['a', 'b', 'c'], draft('a'), draft('b'), draft('c'))).toEqual([
      'failed',
      'failed',
      'applied',
    ]);
  });

  it('the one that explains most was made', () => {
    expect(outcomes(['a', 'b', 'c'], part('a', 'x'), part('b', 'x'), draft('c'))).toEqual([
      'applied',
      'applied',
      'failed',
    ]);
  });

  it('none was made of which a part is not there', () => {
    expect(outcomes(['a', 'c'], part('a', 'x'), part('b', 'x'), draft('c'))).toEqual([
      'failed',
      'failed',
      'applied',
    ]);
    expect(outcomes(['a'], part('a', 'x'), part('b', 'x'), draft('c'))).toEqual([
      'applied',
      'unknown',
      'unknown',
    ]);
  });

  it('all stay open if none was made', () => {
    expect(outcomes([], draft('a'), draft('b'))).toEqual(['open', 'open']);
  });

  it('those that were not made say that a later write replaced them', () => {
    const [first, last] = [draft('a'), draft('b')];
    const found = judgeWrites([first, last], seen('new', 8), NOW);
    expect(found.get(first)).toHaveProperty(
      'detail',
      expect.stringContaining('a later write of scopemesh replaced it'),
    );
  });

  it('those against other indexes are judged apart', () => {
    expect(outcomes(['a', 'b'], draft('a'), draft('b', { expectedIndex: 6 }))).toEqual([
      'applied',
      'applied',
    ]);
  });
});

describe('a write of an object without an index', () => {
  it('is judged by the content alone', () => {
    const one = draft('a');
    const outcome = (view: unknown, nowMs = NOW) => outcomeIn(judgeWrites([one], seen(view), nowMs), one);
    expect(outcome('new')).toBe('applied');
    expect(outcome('other')).toBe('unknown');
    expect(outcome('old')).toBeUndefined();
    expect(outcome('old', NOW + 30_000)).toBe('failed');
  });

  it('fails at once where no write can wait for it', () => {
    const one = draft('a');
    expect(outcomeIn(judgeWrites([one], { ...seen('old'), isImpatient: true }, NOW), one)).toBe('failed');
  });

  it('excludes only the writes that its target names as rivals', () => {
    const drafts = [draft('a'), draft('b'), draft('c')];
    const rivalOf = ({ id }: DraftDecision) => (id === 'c' ? 'other' : 'same');
    const found = judgeWrites(drafts, { ...seen('new'), rivalOf }, NOW);
    expect(drafts.map((each) => outcomeIn(found, each))).toEqual(['failed', 'applied', 'applied']);
  });
});

it('a draft whose outcome something else says has that outcome', () => {
  const one = draft('a');
  expect(judgeWrites([one], { find: () => ({ outcome: 'applied' }) }, NOW).get(one)).toEqual({
    outcome: 'applied',
  });
});
