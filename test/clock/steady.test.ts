import { expect, it, vi } from 'vitest';
import { steadyClock, systemClock } from '../../src/clock.js';

it('goes on where somebody sets the clock of the system back', () => {
  const before = steadyClock(systemClock).now();
  const now = vi.spyOn(Date, 'now').mockReturnValue(0);
  expect(systemClock.now()).toBe(0);
  expect(steadyClock(systemClock).now()).toBeGreaterThanOrEqual(before);
  now.mockRestore();
});

it('is the clock itself where a test moves it', () => {
  const clock = { now: () => 7, sleep: async () => {} };
  expect(steadyClock(clock)).toBe(clock);
});
