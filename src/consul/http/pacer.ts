import type { Clock } from '../../clock.js';

/** At most `burst` at once and `perSecond` in the long run. Resolves when the next one may go; rejects with the signal's reason. */
export function createPacer(
  clock: Clock,
  perSecond: number,
  burst: number,
): (signal: AbortSignal) => Promise<void> {
  let filled = burst;
  let at = clock.now();
  return async (signal) => {
    signal.throwIfAborted();
    const now = clock.now();
    // A clock that is set back must not stop the watch.
    filled = Math.min(burst, filled + (Math.max(0, now - at) / 1000) * perSecond);
    at = now;
    filled -= 1;
    if (filled < 0) await clock.sleep(Math.ceil((-filled / perSecond) * 1000), signal);
  };
}
