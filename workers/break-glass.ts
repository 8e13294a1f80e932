import type { BreakGlassDeps } from '../src/operator/break-glass.js';
import { BreakGlassFollower } from '../src/operator/follow-break-glass.js';
import { repeatSteps } from '../src/repeat.js';

/** A grant ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const MIN_MS = 10;
const MESSAGE =
  'break-glass grants could not be compared or recorded; their edges close in time nevertheless, and scopemesh tries again';

/** Ends break-glass grants at their time, and records them in Consul, which may be slow. */
export async function runBreakGlass(deps: BreakGlassDeps, signal: AbortSignal): Promise<void> {
  const follower = new BreakGlassFollower(deps);
  const repeat = (step: () => Promise<number>) =>
    repeatSteps(
      { message: MESSAGE, pauseMs: CHECK_MS },
      async () => Math.max(MIN_MS, await step()),
      deps,
      signal,
    );
  await Promise.all([
    repeat(async () => Math.min(CHECK_MS, await follower.follow())),
    repeat(() => follower.record(signal)),
  ]);
}
