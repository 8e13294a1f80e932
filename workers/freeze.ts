import { type DenyDeps, followDenies } from '../src/operator/denies.js';
import { type FreezeDeps, followClock } from '../src/operator/freezes.js';
import { repeatSteps } from '../src/repeat.js';

/** A freeze or a deny ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const MESSAGE = 'the begin or end of a freeze or of a deny could not be recorded; scopemesh tries again';

/** Notes when freezes begin and end and when denies end by the clock, and lets go what they held. */
export async function runFreeze(deps: FreezeDeps & DenyDeps, signal: AbortSignal): Promise<void> {
  const step = async () => {
    await followClock(deps);
    await followDenies(deps);
    return CHECK_MS;
  };
  await repeatSteps({ message: MESSAGE, pauseMs: CHECK_MS }, step, deps, signal);
}
