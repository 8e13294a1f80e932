import type { Clock } from '../../clock.js';
import { withLinkedSignal } from '../../linked-signal.js';

/** Connects the event source, which receives hints, with the poll, which reads what the log proves. */
export type LogWakeup = ReturnType<typeof createLogWakeup>;

/** The log is read twice, because it may be a little behind its own hooks. */
const SECOND_READ_MS = 3_000;
/** Hooks cause at most one read of the log per this time: Okta allows about a hundred requests a minute. */
const MIN_INTERVAL_MS = 1_000;
/** The longest timer. */
const MAX_TIMER_MS = 2_147_483_647;

export function createLogWakeup(clock: Clock) {
  let due: readonly number[] = [];
  let lastAt = Number.NEGATIVE_INFINITY;
  let reschedule = () => {};
  return {
    wake(): void {
      const now = clock.now();
      due = [Math.max(now, lastAt + MIN_INTERVAL_MS), now + SECOND_READ_MS];
      reschedule();
    },
    /** Resolves when the log should be read; rejects with the signal's reason. */
    async wait(signal: AbortSignal): Promise<void> {
      for (;;) {
        signal.throwIfAborted();
        const [next] = due;
        const now = clock.now();
        if (next !== undefined && next <= now) {
          due = due.slice(1);
          lastAt = now;
          return;
        }
        const changed = new AbortController();
        reschedule = () => changed.abort();
        const waitMs = next === undefined ? MAX_TIMER_MS : next - now;
        await withLinkedSignal([signal, changed.signal], (either) => clock.sleep(waitMs, either)).catch(
          () => {},
        );
      }
    },
  };
}
