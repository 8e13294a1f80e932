import { followDenies } from '../src/operator/denies.js';
import { followBreakGlass } from '../src/operator/follow-break-glass.js';
import { followFreezes } from '../src/operator/freezes.js';
import type { RulingDeps } from '../src/operator/ruling-store.js';
import { repeatSteps } from '../src/repeat.js';

/** A freeze, a deny or a break-glass grant ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const MIN_MS = 10;
const MESSAGE =
  'the begin or end of a freeze, of a deny or of a break-glass grant could not be recorded; plans follow the clock nevertheless, and scopemesh tries again';

/** Notes when rulings of people begin and end by the clock, and lets everything be planned that they held, closed or opened. */
export async function runRulings(deps: RulingDeps, signal: AbortSignal): Promise<void> {
  let since = Number.NEGATIVE_INFINITY;
  const steps = [
    async () => followFreezes(deps),
    async () => followDenies(deps),
    async () => {
      const { now, nextMs } = await followBreakGlass(since, deps);
      since = now;
      return nextMs;
    },
  ];
  // Each in a loop of its own, so that the failure of one keeps no other from its end.
  await Promise.all(
    steps.map((step) =>
      repeatSteps(
        { message: MESSAGE, pauseMs: CHECK_MS },
        async () => Math.min(CHECK_MS, Math.max(MIN_MS, (await step()) ?? CHECK_MS)),
        deps,
        signal,
      ),
    ),
  );
}
