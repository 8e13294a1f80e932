import { reap } from '../src/apply/acl/reap.js';
import { messageOf } from '../src/errors.js';
import type { Notifier } from '../src/notifier.js';
import type { QueueState } from '../src/queue/queue.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { Outage } from '../src/repeat.js';

const LOOK_MS = 50;
/** Longer than that no work keeps orphans alive, however much of it there is. */
const LET_BY_MS = 5_000;

/** Ends orphaned tokens after each complete comparison, and lets every job go before. */
export async function runReaper(
  deps: ReconcilerDeps,
  state: () => Promise<QueueState>,
  swept: Notifier,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  const letBy = async (stop: AbortSignal) => {
    const until = deps.clock.now() + LET_BY_MS;
    while (deps.clock.now() < until) {
      const { waiting, active } = await state();
      if (waiting + active === 0) return;
      await deps.clock.sleep(LOOK_MS, stop);
    }
  };
  while (!signal.aborted) {
    await swept.wait(signal);
    if (signal.aborted) return;
    try {
      const ended = await reap(deps, letBy, signal);
      outage.ends(deps.clock.now());
      if (ended > 0) deps.logger.warn({ tokens: ended }, 'ended orphaned ACL tokens');
    } catch (error) {
      if (signal.aborted) return;
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { error: messageOf(error) },
          'orphaned ACL tokens could not be ended; the next comparison tries again',
        );
    }
  }
}
