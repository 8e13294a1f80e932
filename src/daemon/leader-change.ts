import { withLinkedSignal } from '../linked-signal.js';
import type { Leader } from '../model/leader.js';
import { plainDecision } from '../model/plain-decision.js';
import { type ReconcilerDeps, stampOf } from '../reconcile/deps.js';
import { repeatSteps } from '../repeat.js';

const RETRY_MS = 1_000;

/**
 * Records that another process leads than before, as soon as the store takes it. Resolves when it is recorded or the signal
 * aborts. Never rejects.
 */
export async function recordLeaderChange(
  { leader, before }: { readonly leader: Leader; readonly before: Leader | undefined },
  deps: Pick<ReconcilerDeps, 'clock' | 'journal' | 'logger' | 'newId' | 'onSettled' | 'source' | 'world'>,
  signal: AbortSignal,
): Promise<void> {
  if (before === undefined || before.replica === leader.replica) return;
  const { owner } = deps.world.mapping;
  const subject = `leader/${owner}`;
  const decision = plainDecision(
    {
      resource: { kind: 'leader', name: owner },
      verb: 'changed',
      subject,
      outcome: 'observed',
      reason: 'LeaderChanged',
      cause: { kind: 'takeover', receivedAt: leader.since },
      before: toView(before),
      after: toView(leader),
    },
    stampOf(deps),
  );
  const recorded = new AbortController();
  const record = async () => {
    await deps.journal.settle(subject, [decision]);
    deps.onSettled();
    recorded.abort();
    return RETRY_MS;
  };
  await withLinkedSignal([signal, recorded.signal], (either) =>
    repeatSteps(
      { message: 'the change of the leader cannot be recorded yet', pauseMs: RETRY_MS },
      record,
      deps,
      either,
    ),
  );
}

function toView({ replica, host, since, epoch }: Leader) {
  return { replica, host, since, epoch };
}
