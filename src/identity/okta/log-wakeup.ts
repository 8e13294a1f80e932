import type { Clock } from '../../clock.js';

/** Between the source, which hears of something, and the poll, which finds out whether it is so. */
export interface LogWakeup {
  tell(): void;
  /** Resolves when the log should be read; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void>;
}

/** The log is looked at twice, since it may be a little behind its own hooks. */
const SECOND_LOOK_MS = 3_000;
/** However many hooks come, the log is not read more often by them: it allows a hundred requests or so a minute. */
const LEAST_APART_MS = 1_000;

export function createLogWakeup(clock: Clock): LogWakeup {
  let looks: readonly number[] = [];
  let lastAt = Number.NEGATIVE_INFINITY;
  let told = () => {};
  return {
    tell() {
      const now = clock.now();
      looks = [Math.max(now, lastAt + LEAST_APART_MS), now + SECOND_LOOK_MS];
      told();
    },
    async wait(signal) {
      for (;;) {
        signal.throwIfAborted();
        const [next] = looks;
        const now = clock.now();
        if (next !== undefined && next <= now) {
          looks = looks.slice(1);
          lastAt = now;
          return;
        }
        const changed = new AbortController();
        told = () => changed.abort();
        const either = AbortSignal.any([signal, changed.signal]);
        // Whatever ends it, what is due is looked at anew.
        await clock.sleep(next === undefined ? FOR_EVER_MS : next - now, either).catch(() => {});
      }
    },
  };
}

/** As long as a timer can be. */
const FOR_EVER_MS = 2_147_483_647;
