import { messageOf } from '../src/errors.js';
import { type FreezeDeps, followClock } from '../src/reconcile/freezes.js';
import { Outage } from '../src/repeat.js';

/** A freeze ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;

/** Notes when freezes begin and end by the clock, and lets go what they held. */
export async function runFreeze(deps: FreezeDeps, signal: AbortSignal): Promise<void> {
  const outage = new Outage();
  while (!signal.aborted) {
    try {
      await followClock(deps);
      outage.ends(deps.clock.now());
    } catch (error) {
      if (signal.aborted) return;
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { error: messageOf(error) },
          'the begin or end of a freeze could not be recorded; scopemesh tries again',
        );
    }
    await deps.clock.sleep(CHECK_MS, signal).catch(() => {});
  }
}
