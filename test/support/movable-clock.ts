import { type Clock, systemClock } from '../../src/clock.js';
import { withLinkedSignal } from '../../src/linked-signal.js';

/** The wall clock, which a test may put forward: whatever sleeps past the new time wakes at once. */
export interface MovableClock extends Clock {
  advance(ms: number): void;
  /** From now on only `advance` moves the time. What sleeps still wakes after its time on the wall. */
  freeze(): void;
}

export function createMovableClock(): MovableClock {
  let ahead = 0;
  const sleepers = new Set<{ readonly dueAt: number; readonly wake: () => void }>();
  let frozenAt: number | undefined;
  const now = () => (frozenAt ?? systemClock.now()) + ahead;
  return {
    now,
    async sleep(ms, signal) {
      const advanced = new AbortController();
      const sleeper = { dueAt: now() + ms, wake: () => advanced.abort() };
      sleepers.add(sleeper);
      const ends = signal === undefined ? [advanced.signal] : [signal, advanced.signal];
      try {
        await withLinkedSignal(ends, (end) => systemClock.sleep(ms, end));
      } catch (reason) {
        if (signal?.aborted === true) throw reason;
      } finally {
        sleepers.delete(sleeper);
      }
    },
    freeze() {
      frozenAt ??= systemClock.now();
    },
    advance(ms) {
      ahead += ms;
      for (const sleeper of [...sleepers]) if (sleeper.dueAt <= now()) sleeper.wake();
    },
  };
}
