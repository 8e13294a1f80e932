import { SyncError } from '../errors.js';
import type { DraftDecision } from '../model/decision.js';
import type { SettledDecision } from '../queue/journal.js';
import type { ApplyDeps } from './deps.js';
import { type Answer, isRefusal } from './journaled-write.js';
import { settleAll, toSettled, type WriteOutcome } from './settle.js';

/** One write of a sequence, with its decision. */
export interface SequencedWrite {
  readonly draft: DraftDecision;
  /** Calls `sending` before it sends the request. Undefined: there was nothing to write. */
  readonly run: (sending: () => void) => Promise<Extract<Answer, { kind: 'written' }> | undefined>;
  /** By subject, for the record after the write; null deletes. */
  readonly lastApplied: ReadonlyMap<string, string | null>;
}

/**
 * Records the decisions of several writes in one step, makes the writes one after the other, and settles all in one step.
 * The first failure ends the sequence and is thrown. A write that was not sent has no decision. An error that leaves open
 * whether its write was made leaves the draft pending: the next run of the key judges it by what it reads.
 */
export async function journaledSequence(
  key: string,
  writes: readonly SequencedWrite[],
  deps: ApplyDeps,
): Promise<void> {
  const drafts = writes.map(({ draft }) => draft);
  await deps.journal.record(key, drafts);
  const unsent = new Set(drafts.map(({ id }) => id));
  const settled: SettledDecision[] = [];
  const lastApplied = new Map<string, string | null>();
  const settle = (draft: DraftDecision, outcome: WriteOutcome) =>
    settled.push(toSettled(draft, outcome, deps.clock.now()));
  let failure: { readonly error: unknown } | undefined;
  for (const write of writes) {
    const { draft } = write;
    try {
      const answer = await write.run(() => unsent.delete(draft.id));
      if (answer === undefined) continue;
      const { kind: _, ...said } = answer;
      settle(draft, { outcome: 'applied', ...said });
      for (const [subject, digest] of write.lastApplied) lastApplied.set(subject, digest);
    } catch (error) {
      failure = { error };
      const outcome = unsent.has(draft.id) ? undefined : failedOutcome(error);
      if (outcome !== undefined) settle(draft, outcome);
      break;
    }
  }
  await settleAll(key, settled, { lastApplied }, deps);
  if (unsent.size > 0) await deps.journal.record(key, [], [...unsent]);
  if (failure !== undefined) throw failure.error;
}

/** Undefined for an error that leaves open whether the write happened. */
function failedOutcome(error: unknown): WriteOutcome | undefined {
  if (!(error instanceof SyncError)) return undefined;
  const { message: detail } = error;
  if (error.code === 'ERR_CONSUL_CONFLICT') return { outcome: 'failed', reason: 'Conflict', detail };
  return isRefusal(error) ? { outcome: 'failed', reason: 'ConsulRefused', detail } : undefined;
}
