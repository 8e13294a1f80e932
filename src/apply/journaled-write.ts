import { SyncError } from '../errors.js';
import type { DraftDecision } from '../model/decision.js';
import type { ApplyDeps } from './deps.js';
import { settleDrafts } from './settle.js';

/** Consul's answer. `detail`: for the decisions. */
export type Answer =
  | { readonly kind: 'written'; readonly modifyIndex?: number; readonly detail?: string }
  | { readonly kind: 'conflict'; readonly detail?: string };

const CHANGED_MEANWHILE = 'the entry changed meanwhile; it is read and planned again';

/** One write to Consul, and all the decisions that it carries. */
export interface JournaledWrite {
  /** `formatKey` text, or another key of the journal. */
  readonly key: string;
  readonly drafts: readonly DraftDecision[];
  /** IDs of recorded drafts that were not sent: the new drafts replace them. */
  readonly replaced?: readonly string[];
  /** Earlier writes of the same object whose answer was lost. If this write is made, none of them was and none can be. */
  readonly overtaken?: readonly DraftDecision[];
  /** Made durable beside the drafts, before the write. */
  readonly reserve?: () => Promise<void>;
  /** Whether a new plan would make the same write. Asked once, after the record. */
  readonly isAsPlanned?: () => boolean;
  readonly send: (signal: AbortSignal) => Promise<Answer>;
  /** By subject, for the record after the write; null deletes. */
  readonly lastApplied?: ReadonlyMap<string, string | null>;
  /** In the turn in which the answer is known, before the settlement. */
  readonly onWritten?: (modifyIndex: number | undefined) => void;
}

/**
 * - `written`: settled as applied.
 * - `conflict`: the compare-and-set was lost and nothing was written; settled as failed.
 * - `refused`: Consul refuses the content. The drafts are still recorded: replace them by their parts, or settle them.
 * - `stale`: the facts of the plan have changed, and nothing was sent. The drafts are still recorded: replace them by the
 *   drafts of the next plan.
 */
export type WriteEnd =
  | { readonly kind: 'written' | 'conflict' | 'stale' }
  | { readonly kind: 'refused'; readonly error: SyncError };

/**
 * Records all decisions of a write in one step, writes, and settles them in one step. An error that leaves open whether
 * the write was made is thrown and leaves the drafts pending: the next run of the key judges them by what it reads.
 */
export async function journaledWrite(
  write: JournaledWrite,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<WriteEnd> {
  const { key, drafts, replaced, overtaken } = write;
  await Promise.all([deps.journal.record(key, drafts, replaced), write.reserve?.()]);
  if (write.isAsPlanned?.() === false) return { kind: 'stale' };
  let result: Answer;
  try {
    result = await write.send(signal);
  } catch (error) {
    if (!(error instanceof SyncError) || !isRefusal(error)) throw error;
    return { kind: 'refused', error };
  }
  if (result.kind === 'conflict') {
    const { detail = CHANGED_MEANWHILE } = result;
    await settleDrafts(key, drafts, { outcome: 'failed', reason: 'Conflict', detail }, undefined, deps);
    return { kind: 'conflict' };
  }
  const { kind: _, ...said } = result;
  write.onWritten?.(said.modifyIndex);
  await settleDrafts(key, drafts, { outcome: 'applied', ...said }, write.lastApplied, deps, overtaken);
  return { kind: 'written' };
}

/** Settles drafts whose content Consul refuses. */
export function settleRefused(
  key: string,
  drafts: readonly DraftDecision[],
  error: SyncError,
  deps: ApplyDeps,
): Promise<void> {
  const refused = { outcome: 'failed', reason: 'ConsulRefused', detail: error.message } as const;
  return settleDrafts(key, drafts, refused, undefined, deps);
}

/** Only these errors are certain to mean that nothing was written. */
export function isRefusal(error: SyncError): boolean {
  return error.code === 'ERR_CONSUL_REJECTED' || error.code === 'ERR_CONSUL_DENIED';
}
