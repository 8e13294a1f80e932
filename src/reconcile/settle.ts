import type { SyncError } from '../errors.js';
import type { DraftDecision } from '../model/decision.js';
import { settledOf } from './decide.js';
import type { ReconcilerDeps } from './deps.js';

/** What became of a write. */
export interface WriteOutcome {
  readonly outcome: 'applied' | 'failed';
  readonly modifyIndex?: number;
  readonly reason?: 'ConsulRefused' | 'Conflict';
  readonly detail?: string;
}

/** Settles a recorded draft, with what is remembered of its key from now on; null forgets. */
export async function settle(
  key: string,
  draft: DraftDecision,
  outcome: WriteOutcome,
  lastWritten: ReadonlyMap<string, string | null> | undefined,
  deps: ReconcilerDeps,
): Promise<void> {
  const nowMs = deps.clock.now();
  const decision = settledOf(draft, { ...outcome, nowMs, time: new Date(nowMs).toISOString() });
  await deps.journal.settle(key, [decision], lastWritten === undefined ? {} : { lastWritten });
  deps.metrics.count('scopemesh_decisions_total', { outcome: decision.outcome, reason: decision.reason });
  if (decision.outcome === 'applied' && (draft.cause.kind === 'webhook' || draft.cause.kind === 'poll')) {
    deps.metrics.time('scopemesh_event_to_commit_seconds', (decision.latencyMs ?? 0) / 1000);
  }
  deps.onSettled();
}

/** Only these say for certain that nothing was written. */
export function isRefusal(error: SyncError): boolean {
  return error.code === 'ERR_CONSUL_REJECTED' || error.code === 'ERR_CONSUL_DENIED';
}
