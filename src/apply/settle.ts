import { isoText } from '../clock.js';
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

/** A write whose answer was lost, once a later write against the same index was made: only one of them can be. */
export const OVERTAKEN = {
  outcome: 'failed',
  reason: 'Interrupted',
  detail: 'the answer to this write was lost, and a later write of scopemesh replaced it',
} as const;

/** The draft as a decision that is settled now. */
export function toSettled(draft: DraftDecision, outcome: WriteOutcome, nowMs: number): SettledDecision {
  return settledOf(draft, { ...outcome, nowMs, time: isoText(nowMs) });
}

type SettleDeps = Pick<ApplyDeps, 'metrics' | 'onSettled'> & {
  readonly journal: Pick<ApplyDeps['journal'], 'settle'>;
};

/** Settles decisions of one key in one step, together with the key's record. */
export async function settleAll(
  key: string,
  decisions: readonly SettledDecision[],
  update: RecordUpdate,
  deps: SettleDeps,
): Promise<void> {
  await settleFound(key, decisions, update, deps);
  for (const { outcome, cause, latencyMs } of decisions)
    if (outcome === 'applied' && (cause.kind === 'webhook' || cause.kind === 'poll'))
      deps.metrics.time('scopemesh_event_to_commit_seconds', (latencyMs ?? 0) / 1000);
}

/** Settles decisions that no write makes now, such as those about what a crash left. No latency is measured. */
export async function settleFound(
  key: string,
  decisions: readonly SettledDecision[],
  update: RecordUpdate,
  deps: SettleDeps,
): Promise<void> {
  if (decisions.length === 0) return;
  await deps.journal.settle(key, decisions, update);
  announceSettled(decisions, deps);
}

/** Counts decisions that the journal has settled, and wakes the relay. */
export function announceSettled(
  decisions: readonly Pick<SettledDecision, 'outcome' | 'reason'>[],
  { metrics, onSettled }: Pick<ApplyDeps, 'metrics' | 'onSettled'>,
): void {
  for (const { outcome, reason } of decisions)
    metrics.count('scopemesh_decisions_total', { outcome, reason });
  onSettled();
}
