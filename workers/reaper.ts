import { reap } from '../src/acl/apply/reap.js';
import type { Notifier } from '../src/notifier.js';
import type { QueueState } from '../src/queue/queue.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { repeatSteps } from '../src/repeat.js';

const CHECK_MS = 50;
/** Orphaned tokens wait at most this long for other jobs. */
const MAX_WAIT_MS = 5_000;
const MESSAGE = 'orphaned ACL tokens could not be ended; scopemesh tries again at the next comparison';

/** Ends orphaned tokens after each complete comparison. All waiting jobs run first. */
export async function runReaper(
  deps: ReconcilerDeps,
  state: () => Promise<QueueState>,
  swept: Notifier,
  signal: AbortSignal,
): Promise<void> {
  const waitForJobs = async (stop: AbortSignal) => {
    const until = deps.clock.now() + MAX_WAIT_MS;
    while (deps.clock.now() < until) {
      const { waiting, active } = await state();
      if (waiting + active === 0) return;
      await deps.clock.sleep(CHECK_MS, stop);
    }
  };
  const step = async () => {
    await swept.wait(signal);
    if (signal.aborted) return 0;
    const ended = await reap(deps, waitForJobs, signal);
    if (ended > 0) deps.logger.warn({ tokens: ended }, 'ended orphaned ACL tokens');
    return 0;
  };
  await repeatSteps({ message: MESSAGE, pauseMs: 0 }, step, deps, signal);
}
