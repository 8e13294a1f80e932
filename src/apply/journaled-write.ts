import { SyncError } from '../errors.js';
import type { DraftDecision } from '../model/decision.js';
import type { SettledDecision } from '../queue/journal.js';
import type { ApplyDeps } from './deps.js';
import { OVERTAKEN, settleAll, toSettled, type WriteOutcome } from './settle.js';

/**
 * Consul's answer. `detail`: for the decisions.
 * - `conflict`: another writer was first, and nothing was written. The change is planned again, and has its decision then.
 * - `failed`: nothing was written. The decision keeps the reason of its change.
 */
export type WriteAnswer =
  | { readonly kind: 'written'; readonly modifyIndex?: number; readonly detail?: string }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'failed'; readonly detail: string };

const CHANGED_MEANWHILE = 'the entry changed meanwhile; it is read and planned again';

/** One request to Consul, and the decisions that it carries. */
export interface JournaledRequest {
  readonly drafts: readonly DraftDecision[];
  readonly send: (signal: AbortSignal) => Promise<WriteAnswer | 'stale'>;
  /**
   * Sends the request when it is its turn. Resolves with undefined if there is nothing to send any more, and with `stale`
   * if the facts of the plan changed while it waited: then its drafts and all later ones end without a decision.
   */
  readonly within?:
    | ((sendNow: () => Promise<WriteAnswer | 'stale'>) => Promise<WriteAnswer | 'stale' | undefined>)
    | undefined;
  /** By subject, for the record after the write; null deletes. */
  readonly lastApplied?: ReadonlyMap<string, string | null>;
  /** In the turn in which the answer is known, before the settlement. */
  readonly onWritten?: (modifyIndex: number | undefined) => void;
}

/** One write to Consul: requests that are recorded together, sent one after the other, and settled together. */
export interface JournaledWrite {
  /** `formatKey` text, or another key of the journal. */
  readonly key: string;
  readonly requests: readonly JournaledRequest[];
  /** Recorded in the same step: drafts of a later write that this one makes necessary. */
  readonly ahead?: readonly DraftDecision[];
  /** IDs of recorded drafts that were not sent: the new drafts replace them. */
  readonly replaced?: readonly string[];
  /** Earlier writes of the same object whose answer was lost. If this write is made, none of them was and none can be. */
  readonly overtaken?: readonly DraftDecision[];
  /** Made durable beside the drafts, before the write. */
  readonly reserve?: (() => Promise<unknown>) | undefined;
  /** Whether a new plan would make the same write. Asked once, after the record. */
  readonly isAsPlanned?: (() => boolean) | undefined;
  /** After which ends the drafts stay recorded, for the write that follows. Otherwise they end too. */
  readonly keeps?: readonly WriteEnd['kind'][];
}

/**
 * - `written`: settled as applied.
 * - `failed`: nothing was written; settled as failed.
 * - `conflict`: another writer was first. What Consul answered so ends without a decision.
 * - `refused`: Consul refuses the content; settled as failed, unless the drafts stay recorded.
 * - `stale`: the facts of the plan have changed, and nothing was sent from then on. The drafts of what was not sent end
 *   without a decision, unless they stay recorded.
 */
export type WriteEnd =
  | { readonly kind: 'written' | 'failed' | 'stale' }
  | { readonly kind: 'conflict' | 'refused'; readonly error: SyncError };

/**
 * Records all decisions of a write in one step, asks whether it is as planned, sends it, and settles the decisions in one
 * step. The first request that fails ends the write, and requests that were not sent have no decision. An error that leaves
 * open whether a request was carried out is thrown and leaves its drafts pending: the next run of the key judges them by
 * what it reads (`recoverWrites`).
 */
export async function journaledWrite(
  write: JournaledWrite,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<WriteEnd> {
  const { key, requests, ahead = [], overtaken = [], keeps = [] } = write;
  const drafts = [...requests.flatMap((request) => request.drafts), ...ahead];
  const recorded = deps.journal.record(key, drafts, write.replaced);
  await (write.reserve === undefined ? recorded : Promise.all([recorded, write.reserve()]));
  if (write.isAsPlanned?.() === false) {
    if (!keeps.includes('stale')) await withdraw(key, idsOf(drafts), deps);
    return { kind: 'stale' };
  }
  const decisions: SettledDecision[] = [];
  const lastApplied = new Map<string, string | null>();
  const unsent: DraftDecision[] = [];
  let last: SendResult = { isSent: false };
  for (const request of requests) {
    const isOver = last.end !== undefined || last.thrown !== undefined;
    if (!isOver) last = await sendOne(request, signal);
    const { outcome } = last;
    if (!isOver && last.end !== undefined && keeps.includes(last.end.kind)) continue;
    const isUnmade = last.end !== undefined && outcome === undefined;
    if (isOver || !last.isSent || isUnmade) unsent.push(...request.drafts);
    if (isOver || outcome === undefined) continue;
    if (outcome.outcome === 'applied') {
      request.onWritten?.(outcome.modifyIndex);
      for (const [subject, digest] of request.lastApplied ?? []) lastApplied.set(subject, digest);
    }
    const nowMs = deps.clock.now();
    decisions.push(...request.drafts.map((draft) => toSettled(draft, outcome, nowMs)));
  }
  const { end = { kind: 'written' }, thrown } = last;
  if (end.kind === 'conflict') deps.metrics.count('scopemesh_consul_conflicts_total');
  // What was not sent makes no later write necessary.
  const isUnsent = (!last.isSent || end.kind === 'conflict') && decisions.length === 0;
  if (isUnsent && (end.kind !== 'written' || thrown !== undefined)) unsent.push(...ahead);
  const isMade = end.kind === 'written' && thrown === undefined;
  const lost = isMade ? overtaken.map((draft) => toSettled(draft, OVERTAKEN, deps.clock.now())) : [];
  await settleAll(key, [...lost, ...decisions], lastApplied.size === 0 ? {} : { lastApplied }, deps);
  await withdraw(key, idsOf(unsent), deps);
  if (thrown !== undefined) throw thrown.error;
  return end;
}

/** Drafts whose request was never sent end without a decision. `ids`: theirs. */
export function withdraw(
  key: string,
  ids: readonly string[],
  { journal }: { readonly journal: Pick<ApplyDeps['journal'], 'record'> },
): Promise<void> {
  return ids.length === 0 ? Promise.resolve() : journal.record(key, [], ids);
}

function idsOf(drafts: readonly DraftDecision[]): readonly string[] {
  return drafts.map(({ id }) => id);
}

/** What came of one request. `outcome`: of its decisions, if it is known. `end` and `thrown`: no other is sent after it. */
interface SendResult {
  readonly isSent: boolean;
  readonly outcome?: WriteOutcome;
  readonly end?: WriteEnd;
  readonly thrown?: { readonly error: unknown };
}

async function sendOne(
  { send, within = (sendNow) => sendNow() }: JournaledRequest,
  signal: AbortSignal,
): Promise<SendResult> {
  let isSent = false;
  const sendNow = () => {
    isSent = true;
    return send(signal);
  };
  try {
    const answer = await within(sendNow);
    if (answer === undefined) return { isSent };
    if (answer === 'stale') return { isSent, end: { kind: 'stale' } };
    if (answer.kind === 'conflict') {
      const error = new SyncError('ERR_CONSUL_CONFLICT', CHANGED_MEANWHILE, { retriable: true });
      return { isSent, end: { kind: 'conflict', error } };
    }
    const { kind, ...said } = answer;
    if (kind === 'written') return { isSent, outcome: { outcome: 'applied', ...said } };
    return { isSent, outcome: { outcome: 'failed', ...said }, end: { kind } };
  } catch (error) {
    if (!isSent || !(error instanceof SyncError)) return { isSent, thrown: { error } };
    if (error.code === 'ERR_CONSUL_CONFLICT') return notMade('conflict', error);
    return isRefusal(error) ? notMade('refused', error) : { isSent, thrown: { error } };
  }
}

function notMade(kind: 'conflict' | 'refused', error: SyncError): SendResult {
  const reason = kind === 'conflict' ? 'Conflict' : 'ConsulRefused';
  return {
    isSent: true,
    outcome: { outcome: 'failed', reason, detail: error.message },
    end: { kind, error },
  };
}

/** Only these errors are certain to mean that nothing was written. */
export function isRefusal(error: SyncError): boolean {
  return error.code === 'ERR_CONSUL_REJECTED' || error.code === 'ERR_CONSUL_DENIED';
}
