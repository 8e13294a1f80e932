import { type Clock, systemClock } from '../../src/clock.js';

/** The wall clock, which a test may put forward: whatever sleeps past the new time wakes at once. */
export interface MovableClock extends Clock {
  advance(ms: number): void;
}

export function createMovableClock(): MovableClock {
  let ahead = 0;
  const sleepers = new Set<{ readonly dueAt: number; readonly wake: () => void }>();
  const now = () => systemClock.now() + ahead;
  return {
    now,
    async sleep(ms, signal) {
      const advanced = new AbortController();
      const sleeper = { dueAt: now() + ms, wake: () => advanced.abort() };
      sleepers.add(sleeper);
      const stop = signal === undefined ? advanced.signal : AbortSignal.any([signal, advanced.signal]);
      try {
        await systemClock.sleep(ms, stop);
      } catch (reason) {
        if (signal?.aborted === true) throw reason;
      } finally {
        sleepers.delete(sleeper);
      }
    },
    advance(ms) {
      ahead += ms;
      for (const sleeper of [...sleepers]) if (sleeper.dueAt <= now()) sleeper.wake();
    },
  };
}
