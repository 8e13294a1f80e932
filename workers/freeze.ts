import type { BreakGlassDeps } from '../src/operator/break-glass.js';
import { type DenyDeps, followDenies } from '../src/operator/denies.js';
import { followBreakGlass } from '../src/operator/follow-break-glass.js';
import { type FreezeDeps, followClock } from '../src/operator/freezes.js';
import { repeatSteps } from '../src/repeat.js';

/** A freeze, a deny or a break-glass grant ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const MIN_MS = 10;
const MESSAGE = 'the begin or end of a freeze or of a deny could not be recorded; scopemesh tries again';
const GRANTS_MESSAGE =
  'the end of a break-glass grant could not be recorded; its edge closes in time nevertheless, and scopemesh tries again';

/** Notes when freezes begin and end and when denies and grants end by the clock, and lets go what they held. */
export async function runFreeze(
  deps: FreezeDeps & DenyDeps & BreakGlassDeps,
  signal: AbortSignal,
): Promise<void> {
  const step = async () => {
    await followClock(deps);
    await followDenies(deps);
    return CHECK_MS;
  };
  let since = Number.NEGATIVE_INFINITY;
  const followGrants = async () => {
    const { now, nextMs } = await followBreakGlass(since, deps);
    since = now;
    return Math.min(CHECK_MS, Math.max(MIN_MS, nextMs));
  };
  await Promise.all([
    repeatSteps({ message: MESSAGE, pauseMs: CHECK_MS }, step, deps, signal),
    repeatSteps({ message: GRANTS_MESSAGE, pauseMs: CHECK_MS }, followGrants, deps, signal),
  ]);
}
