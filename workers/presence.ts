import type { Clock } from '../src/clock.js';
import { messageOf } from '../src/errors.js';
import type { Replica } from '../src/model/replica.js';
import type { Logger } from '../src/observe.js';
import type { Roster } from '../src/queue/roster.js';
import { Outage } from '../src/repeat.js';

/** Several times within `ROSTER_LIFE_MS`. */
const SHOW_MS = 5_000;

/** Lists this replica in the store until the signal aborts. Never rejects. */
export async function runPresence(
  roster: Roster,
  self: Replica,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  while (!signal.aborted) {
    try {
      await roster.show(self);
      outage.ends(clock.now());
    } catch (error) {
      if (outage.begins(clock.now()))
        logger.warn(
          { error: messageOf(error) },
          'this replica cannot be listed in the store; it tries again',
        );
    }
    await clock.sleep(SHOW_MS, signal).catch(() => {});
  }
  // The others forget it soon in any case.
  await roster.leave(self.replica).catch(() => {});
}
