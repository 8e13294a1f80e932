import { messageOf } from '../src/errors.js';
import type { BreakGlassDeps } from '../src/reconcile/break-glass.js';
import { BreakGlassFollower } from '../src/reconcile/follow-break-glass.js';
import { Outage } from '../src/repeat.js';

/** A grant ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const LEAST_MS = 10;

/** Ends break-glass grants at their time. */
export async function runBreakGlass(deps: BreakGlassDeps, signal: AbortSignal): Promise<void> {
  const outage = new Outage();
  const follower = new BreakGlassFollower(deps);
  while (!signal.aborted) {
    let nextMs = CHECK_MS;
    try {
      nextMs = await follower.follow(signal);
      outage.ends(deps.clock.now());
    } catch (error) {
      if (signal.aborted) return;
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { error: messageOf(error) },
          'break-glass grants could not be compared or recorded; their edges close in time nevertheless, and scopemesh tries again',
        );
    }
    const ms = Math.max(LEAST_MS, Math.min(CHECK_MS, nextMs));
    await deps.clock.sleep(ms, signal).catch(() => {});
  }
}
