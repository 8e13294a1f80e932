import type { DraftDecision } from '../model/decision.js';
import type { RecordUpdate, SettledDecision } from '../queue/journal.js';
import { settledOf } from './decision-drafts.js';
import type { ApplyDeps } from './deps.js';

/** What became of a write. */
export interface WriteOutcome {
  readonly outcome: 'applied' | 'failed' | 'unknown';
  readonly modifyIndex?: number;
  readonly reason?: 'ConsulRefused' | 'Conflict' | 'Interrupted';
  readonly detail?: string;
}

export const INTERRUPTED = {
  outcome: 'failed',
  reason: 'Interrupted',
  detail: 'scopemesh was interrupted before this write reached Consul; it is planned again',
} as const;

/** The draft as a decision that is settled now. */
export function toSettled(draft: DraftDecision, outcome: WriteOutcome, nowMs: number): SettledDecision {
  return settledOf(draft, { ...outcome, nowMs, time: new Date(nowMs).toISOString() });
}

/** Settles decisions of one key in one step, with what is remembered of the key from now on. */
export async function settleAll(
  key: string,
  decisions: readonly SettledDecision[],
  update: RecordUpdate,
  deps: ApplyDeps,
): Promise<void> {
  if (decisions.length === 0) return;
  await deps.journal.settle(key, decisions, update);
  for (const { outcome, reason, cause, latencyMs } of decisions) {
    deps.metrics.count('scopemesh_decisions_total', { outcome, reason });
    if (outcome === 'applied' && (cause.kind === 'webhook' || cause.kind === 'poll'))
      deps.metrics.time('scopemesh_event_to_commit_seconds', (latencyMs ?? 0) / 1000);
  }
  deps.onSettled();
}

/** Settles one recorded draft; null in `lastWritten` forgets. */
export function settle(
  key: string,
  draft: DraftDecision,
  outcome: WriteOutcome,
  lastWritten: ReadonlyMap<string, string | null> | undefined,
  deps: ApplyDeps,
): Promise<void> {
  const update = lastWritten === undefined ? {} : { lastWritten };
  return settleAll(key, [toSettled(draft, outcome, deps.clock.now())], update, deps);
}
