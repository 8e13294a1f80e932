import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffDelayMs, DEFAULT_BACKOFF } from '../../src/queue/backoff.js';

const BACKOFF = { firstMs: 100, capMs: 1000, attempts: 8, parkedMs: 60_000 };
const almostOne = () => 1 - Number.EPSILON;

describe('the backoff', () => {
  it('doubles its longest wait with every failure until the cap', () => {
    const longest = [1, 2, 3, 4, 5, 6].map((attempts) => backoffDelayMs(BACKOFF, attempts, almostOne) + 1);
    expect(longest).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it('spreads over everything from nothing to the longest wait', () => {
    expect(backoffDelayMs(BACKOFF, 3, () => 0)).toBe(0);
    expect(backoffDelayMs(BACKOFF, 3, () => 0.5)).toBe(200);
  });

  it('lets a parked key wait for half of its time at least, and for all of it at most', () => {
    expect([0, almostOne()].map((random) => backoffDelayMs(BACKOFF, 8, () => random))).toEqual([
      30_000, 59_999,
    ]);
  });

  it('is a whole number between nothing and the longest wait however often a key failed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempts, random) => {
          const delay = backoffDelayMs(DEFAULT_BACKOFF, attempts, () => random);
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(Math.max(DEFAULT_BACKOFF.capMs, DEFAULT_BACKOFF.parkedMs));
        },
      ),
    );
  });
});
