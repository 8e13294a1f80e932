import { SyncError } from '../errors.js';
import type { DraftDecision } from '../model/decision.js';
import type { ApplyDeps } from './deps.js';
import { settleDrafts } from './settle.js';

/** What Consul said. `detail`: what the decisions say of it. */
export type Answer =
  | { readonly kind: 'written'; readonly modifyIndex?: number; readonly detail?: string }
  | { readonly kind: 'conflict'; readonly detail?: string };

const CHANGED_MEANWHILE = 'the entry changed meanwhile; it is read and planned again';

/** One write to Consul, and all the decisions that it carries. */
export interface JournaledWrite {
  /** `formatKey` text, or another key of the journal. */
  readonly key: string;
  readonly drafts: readonly DraftDecision[];
  /** Ids recorded before and never sent: these drafts take their place. */
  readonly replaced?: readonly string[];
  /** Earlier writes of the same object whose answer was lost: where this one is made, none of them can be any more. */
  readonly overtaken?: readonly DraftDecision[];
  /** Made durable beside the drafts, before the write. */
  readonly reserve?: () => Promise<void>;
  /** Whether the write is still what a plan would make now. Asked once, after the record. */
  readonly isAsPlanned?: () => boolean;
  readonly send: (signal: AbortSignal) => Promise<Answer>;
  /** What to remember of each subject once it is written; null forgets. */
  readonly lastApplied?: ReadonlyMap<string, string | null>;
  /** In the turn in which the answer is known, before the settlement. */
  readonly onWritten?: (modifyIndex: number | undefined) => void;
}

/**
 * - `written`: settled as applied.
 * - `conflict`: the compare-and-set was lost and nothing was written; settled as failed.
 * - `refused`: Consul refuses the content. Still recorded: record the parts of it in its place, or settle it.
 * - `stale`: what it was planned from has changed and nothing was sent. Still recorded: record the next plan in its place.
 */
export type WriteEnd =
  | { readonly kind: 'written' | 'conflict' | 'stale' }
  | { readonly kind: 'refused'; readonly error: SyncError };

/**
 * Records all decisions of a write in one step, writes, and settles them in one step. An error that leaves open whether
 * the write happened is thrown, and its drafts stay pending: the next run of the key judges them by what it reads.
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

/** Settles drafts that Consul refused, and would refuse again. */
export function settleRefused(
  key: string,
  drafts: readonly DraftDecision[],
  error: SyncError,
  deps: ApplyDeps,
): Promise<void> {
  const refused = { outcome: 'failed', reason: 'ConsulRefused', detail: error.message } as const;
  return settleDrafts(key, drafts, refused, undefined, deps);
}

/** Only these say for certain that nothing was written. */
export function isRefusal(error: SyncError): boolean {
  return error.code === 'ERR_CONSUL_REJECTED' || error.code === 'ERR_CONSUL_DENIED';
}
