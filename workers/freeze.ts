import { type FreezeDeps, followClock } from '../src/operator/freezes.js';
import { repeatSteps } from '../src/repeat.js';

/** A freeze ends this much late at most, also after the clock was set. */
const CHECK_MS = 1_000;
const MESSAGE = 'the begin or end of a freeze could not be recorded; scopemesh tries again';

/** Notes when freezes begin and end by the clock, and lets go what they held. */
export async function runFreeze(deps: FreezeDeps, signal: AbortSignal): Promise<void> {
  const step = () => followClock(deps).then(() => CHECK_MS);
  await repeatSteps({ message: MESSAGE, pauseMs: CHECK_MS }, step, deps, signal);
}
