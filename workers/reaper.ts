import { reap } from '../src/apply/acl/reap.js';
import { messageOf } from '../src/errors.js';
import type { Notifier } from '../src/notifier.js';
import type { QueueState } from '../src/queue/queue.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { Outage } from '../src/repeat.js';

const CHECK_MS = 50;
/** Orphaned tokens wait at most this long for other jobs. */
const LONGEST_WAIT_MS = 5_000;

/** Ends orphaned tokens after each complete comparison. All waiting jobs run first. */
export async function runReaper(
  deps: ReconcilerDeps,
  state: () => Promise<QueueState>,
  swept: Notifier,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  const waitForJobs = async (stop: AbortSignal) => {
    const until = deps.clock.now() + LONGEST_WAIT_MS;
    while (deps.clock.now() < until) {
      const { waiting, active } = await state();
      if (waiting + active === 0) return;
      await deps.clock.sleep(CHECK_MS, stop);
    }
  };
  while (!signal.aborted) {
    await swept.wait(signal);
    if (signal.aborted) return;
    try {
      const ended = await reap(deps, waitForJobs, signal);
      outage.ends(deps.clock.now());
      if (ended > 0) deps.logger.warn({ tokens: ended }, 'ended orphaned ACL tokens');
    } catch (error) {
      if (signal.aborted) return;
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { error: messageOf(error) },
          'orphaned ACL tokens could not be ended; scopemesh tries again at the next comparison',
        );
    }
  }
}
