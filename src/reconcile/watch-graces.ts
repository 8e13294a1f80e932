import { messageOf } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { Trigger } from '../model/trigger.js';
import type { ClaimStatus } from '../plan/claim-status.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { ReconcilerDeps } from './deps.js';

/** How often to check whether the grace of a service without instances has ended; more often for a shorter grace. */
const GRACE_CHECK_MS = 1_000;
const MIN_CHECK_MS = 50;
/** Queues what follows from the end of each grace, until the signal aborts. */
export async function watchGraces(
  deps: Pick<ReconcilerDeps, 'world' | 'clock' | 'queue' | 'logger'>,
  claimGraceMs: number,
  causeOf: () => Cause,
  signal: AbortSignal,
): Promise<void> {
  // A service may come back and vanish again: the check must see that it was gone in between.
  const checkMs = Math.max(MIN_CHECK_MS, Math.min(GRACE_CHECK_MS, claimGraceMs / 2));
  let waiting: readonly Trigger[] = [];
  while (!signal.aborted) {
    await deps.clock.sleep(checkMs, signal).catch(() => {});
    if (signal.aborted) return;
    const ended = deps.world.expireGraces(deps.clock.now());
    waiting = [...waiting, ...claimStatusTriggers(deps.world, ended, causeOf(), hasVanished)];
    try {
      if (waiting.length > 0) await deps.queue.add(waiting);
      waiting = [];
    } catch (error) {
      deps.logger.warn(
        { error: messageOf(error) },
        'the end of a claim grace could not be queued; scopemesh tries again',
      );
    }
  }
}

/** Every other change of a claim status has a job of its own, which knows the cause. */
function hasVanished(claimStatus: ClaimStatus | undefined): boolean {
  return claimStatus === undefined || (claimStatus.kind === 'none' && claimStatus.vanished);
}
