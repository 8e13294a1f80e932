import type { Clock } from '../src/clock.js';
import type { Replica } from '../src/model/replica.js';
import type { Logger } from '../src/observe.js';
import type { Roster } from '../src/queue/roster.js';
import { repeatSteps } from '../src/repeat.js';

/** Several times within `ROSTER_LIFE_MS`. */
const SHOW_MS = 5_000;
const MESSAGE = 'this replica cannot be listed in the store; it tries again';

/** Lists this replica in the store until the signal aborts. Never rejects. */
export async function runPresence(
  roster: Roster,
  self: () => Replica,
  deps: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const step = () => roster.show(self()).then(() => SHOW_MS);
  await repeatSteps({ message: MESSAGE, pauseMs: SHOW_MS }, step, deps, signal);
  // The others forget it soon in any case.
  await roster.leave(self().replica).catch(() => {});
}
