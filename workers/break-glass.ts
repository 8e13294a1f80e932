import { messageOf } from '../src/errors.js';
import type { BreakGlassDeps } from '../src/reconcile/break-glass.js';
import { BreakGlassFollower } from '../src/reconcile/follow-break-glass.js';
import { Outage } from '../src/repeat.js';

/** A grant ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const LEAST_MS = 10;

/** Ends break-glass grants at their time, and records them in Consul, which may be slow. */
export async function runBreakGlass(deps: BreakGlassDeps, signal: AbortSignal): Promise<void> {
  const follower = new BreakGlassFollower(deps);
  await Promise.all([
    repeat(async () => Math.min(CHECK_MS, await follower.follow()), deps, signal),
    repeat(() => follower.record(signal), deps, signal),
  ]);
}

async function repeat(
  step: () => Promise<number>,
  { clock, logger }: BreakGlassDeps,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  while (!signal.aborted) {
    let nextMs = CHECK_MS;
    try {
      nextMs = await step();
      outage.ends(clock.now());
    } catch (error) {
      if (signal.aborted) return;
      if (outage.begins(clock.now()))
        logger.warn(
          { error: messageOf(error) },
          'break-glass grants could not be compared or recorded; their edges close in time nevertheless, and scopemesh tries again',
        );
    }
    await clock.sleep(Math.max(LEAST_MS, nextMs), signal).catch(() => {});
  }
}
