import { describe, expect, it } from 'vitest';
import { isOwnedNow } from '../../../src/plan/edge-record.js';
import { InferredRemovals } from '../../../src/state/inferred-removals.js';
import { LastAppliedCache } from '../../../src/state/last-applied-cache.js';
import { RejectedRemovals } from '../../../src/state/revocation-window.js';
import { ALLOW, named, ourSource } from '../../plan/scene.js';

const NOW = 1_800_000_000_000;
const WINDOW = 600_000;
const at = (ms: number) => ({ by: { id: 'ana' }, at: new Date(NOW + ms).toISOString() });
const rejecting = (...all: readonly (readonly [string, Record<string, number>])[]) => {
  const rejected = new RejectedRemovals(WINDOW);
  for (const [key, subjects] of all)
    rejected.put(key, new Map(Object.entries(subjects).map(([subject, ms]) => [subject, at(ms)])));
  return rejected;
};

describe('a rejected removal', () => {
  it('counts for one window after it was rejected, and then no more', () => {
    const rejected = rejecting(['k', { a: 0, b: -WINDOW + 1, c: -WINDOW, d: -WINDOW - 1 }]);
    expect(rejected.countOf(['a', 'b', 'c', 'd', 'e'], NOW)).toBe(3);
    expect(rejected.countOf([], NOW)).toBe(0);
  });

  it('counts no more if its instant cannot be read', () => {
    const rejected = new RejectedRemovals(WINDOW);
    rejected.put('k', new Map([['a', { by: { id: 'ana' }, at: '' }]]));
    expect(rejected.countOf(['a'], NOW)).toBe(0);
  });

  it('is of the key that found it last', () => {
    const rejected = rejecting(['k', { a: 0, b: 0 }], ['l', { c: 0 }], ['k', { b: -1 }]);
    expect([rejected.of('a'), rejected.of('b'), rejected.of('c')]).toEqual([undefined, at(-1), at(0)]);
    rejected.put('k', new Map());
    rejected.put('none', new Map());
    expect([rejected.of('b'), rejected.of('c')]).toEqual([undefined, at(0)]);
  });

  it('counts in the fleet as it does one by one, each key at most so often', () => {
    const losses = new Map([
      ['a', { key: 'k', removals: 3 }],
      ['b', { key: 'k', removals: 3 }],
      ['c', { key: 'l', removals: 2 }],
    ]);
    const of = (rejected: RejectedRemovals, most?: number) =>
      rejected.countIn(
        {
          total: (limit = Number.POSITIVE_INFINITY) => Math.min(3, limit) + Math.min(2, limit),
          lossOf: (subject) => losses.get(subject),
        },
        NOW,
        most,
      );
    expect(of(rejecting())).toBe(5);
    expect(of(rejecting(['k', { a: -WINDOW, b: 0 }]))).toBe(4);
    const over = rejecting(['k', { a: -WINDOW, b: -WINDOW, gone: -WINDOW }], ['l', { c: -WINDOW }]);
    expect(of(over)).toBe(2);
    expect(of(over, 1)).toBe(2);
    expect(of(rejecting(['k', { a: -WINDOW, b: -WINDOW }]), 2)).toBe(3);
    expect(of(rejecting(['k', { a: -WINDOW }]), 2)).toBe(4);
    expect(rejecting().countIn(new InferredRemovals(), NOW)).toBe(0);
  });
});

describe('the last writes of a key', () => {
  const KEY = 'destination/default/default/orders';
  const written = new Map([['intention/default/default/orders/web', '["allow",[]]']]);

  it('are put once, and gone with an empty list', () => {
    const all = new LastAppliedCache();
    expect(all.of(KEY).size).toBe(0);
    expect(all.put(KEY, written)).toBe(true);
    expect(all.put(KEY, written)).toBe(false);
    expect(all.of(KEY)).toBe(written);
    expect([...all.keys()]).toEqual([KEY]);
    expect(all.put(KEY, new Map())).toBe(true);
    expect(all.put(KEY, new Map())).toBe(false);
    expect([...all.keys()]).toEqual([]);
  });

  it('say which edges of a destination are recorded, and until they are all known which are not', () => {
    const all = new LastAppliedCache();
    const owned = () => isOwnedNow(named('orders'), ourSource('web', ALLOW), all.recordsOf(named('orders')));
    expect(owned()).toBe(true);
    all.setUnrecorded(new Set(written.keys()));
    expect(owned()).toBe(false);
    all.setUnrecorded(undefined);
    expect(owned()).toBe(false);
    all.put(KEY, written);
    expect(owned()).toBe(true);
    expect(all.recordsOf({ ...named('orders'), namespace: 'far' }).lastApplied.size).toBe(0);
  });
});
