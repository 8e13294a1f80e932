import { isoInstant } from '../clock.js';
import type { Intentions } from '../consul/consul.js';
import type { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Stamp } from '../model/plain-decision.js';
import type { Residual } from '../model/residual.js';
import { toLastAppliedText } from '../plan/last-applied.js';
import type { Change } from '../plan/plan.js';
import { draftOf } from './decision-drafts.js';
import type { ApplyDeps } from './deps.js';
import { entryAfter, isLikeWritten, type Source, sourcesAfter } from './entry-sources.js';
import { journaledWrite, type WriteAnswer, withdraw } from './journaled-write.js';

/** So often one record is sent against what another writer left. With a change every 6 ms about every second try is in time. */
const MAX_SENDS = 32;

/** The changes of one service-intentions entry. */
export interface EntryWrite {
  /** `formatKey` text. */
  readonly key: string;
  readonly destination: ServiceName;
  /** The entry that the changes were planned from. */
  readonly entry: IntentionEntry | undefined;
  readonly changes: readonly Change[];
  readonly owner: string;
  readonly causeOf: (change: Change) => Cause;
  /** What remains of the edge after the change. */
  readonly residualOf: (change: Change) => Residual | undefined;
  readonly stamp: Stamp;
  /** Ids of drafts that were recorded by an earlier plan and never sent. */
  readonly replaced: readonly string[];
  /** Earlier writes of the entry whose answer was lost and whose request may still reach Consul. */
  readonly overtaken: readonly DraftDecision[];
  /**
   * The entry that the changes are sent against, if a new plan would still make them. Asked after the record, and with
   * `isLost` after a lost compare-and-set: then it reads what Consul has.
   */
  readonly baseOf: (
    changes: readonly Change[],
    isLost: boolean,
  ) => Promise<Pick<EntryRequest, 'base'> | undefined>;
  /** Whether the key has new triggers since the plan. Then the parts of a refused entry are planned again. */
  readonly isTouched: () => boolean;
  /** Called in the turn of the record. It must resolve before the write. */
  readonly reserve: (changes: readonly Change[]) => Promise<void> | undefined;
  /** In the turn in which the answer is known. */
  readonly onWritten: (
    changes: readonly Change[],
    entry: IntentionEntry | undefined,
    lastApplied: ReadonlyMap<string, string>,
  ) => void;
  /** The write of these changes was not made. */
  readonly onNotMade: (changes: readonly Change[]) => void;
}

/**
 * `again`: read and plan again. `conflict`: the same, after another writer. `stale`: plan again, and record the new plan in
 * place of these drafts.
 */
export type EntryEnd =
  | { readonly kind: 'done' | 'again' | 'conflict' }
  | { readonly kind: 'stale'; readonly replaced: readonly string[] };

/**
 * Writes all changes of an entry in one compare-and-set. If Consul refuses the entry, the narrowing changes are written
 * first, and the rest is halved until the refused edge is found: one bad edge never blocks the others. Then the first
 * refusal is thrown. If another writer was first, the entry is read and the same changes are sent again at once, without
 * another record: each moment more is one in which the entry may change.
 */
export async function writeEntry(
  write: EntryWrite,
  intentions: Pick<Intentions, 'read' | 'write' | 'delete'>,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<EntryEnd> {
  const { key, destination, owner } = write;
  const parts: (readonly Change[])[] = [write.changes];
  let { entry, replaced, overtaken } = write;
  let refusal: SyncError | undefined;
  let isBegun = false;
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const changes = part;
    const current = entry;
    const drafts = toDrafts(changes, current, write, deps);
    const ids = drafts.map(({ id }) => id);
    let sent = toRequest(current, changes, owner);
    const lastApplied = new Map(
      changes.map(({ subject, after, remembered = after, opensBy }) => [
        subject,
        toLastAppliedText(remembered, opensBy),
      ]),
    );
    const reserved = write.reserve(changes);
    let isSent = false;
    const isReady = async (isLost: boolean) => {
      const next = await write.baseOf(changes, isLost);
      if (next === undefined) return false;
      // After a part that was written, the rest is sent against what that left.
      if (!isBegun) sent = toRequest(next.base, changes, owner);
      // Only a write against the same index shows that an earlier one was not made.
      const index = sent.base?.modifyIndex ?? 0;
      return overtaken.every(({ expectedIndex }) => expectedIndex === index);
    };
    const sendPart = async (stop: AbortSignal) => {
      isSent = true;
      for (let sends = 1; ; sends++) {
        const answer = await send(destination, sent, intentions, stop);
        // A write whose answer was lost may be what changed the entry.
        if (answer.kind !== 'conflict' || sends === MAX_SENDS || isBegun || overtaken.length > 0)
          return answer;
        // Without an answer the lost compare-and-set remains what is known.
        const isAgain = await isReady(true).catch(() => undefined);
        if (isAgain === undefined || stop.aborted) return answer;
        deps.metrics.count('scopemesh_consul_conflicts_total');
        if (!isAgain) return 'stale';
      }
    };
    const end = await journaledWrite(
      {
        key,
        requests: [
          {
            drafts,
            within: async (sendNow) => ((await isReady(false)) ? sendNow() : 'stale'),
            send: sendPart,
            lastApplied,
            onWritten: (index) =>
              write.onWritten(
                changes,
                entryAfter(sent.base, destination, sent.sources, index ?? 0),
                lastApplied,
              ),
          },
        ],
        replaced,
        overtaken,
        reserve: reserved && (() => reserved),
        // Once a part is written, the plan's entry is out of date, and nothing may follow from it.
        keeps: [
          ...(isBegun ? [] : (['stale'] as const)),
          ...(changes.length > 1 ? (['refused'] as const) : []),
        ],
      },
      deps,
      signal,
    ).catch(async (error) => {
      // The drafts say against which index their request may still come.
      const expectedIndex = sent.base?.modifyIndex ?? 0;
      const isAtOther = isSent && expectedIndex !== (current?.modifyIndex ?? 0);
      if (isAtOther) {
        const moved = drafts.map((draft) => ({ ...draft, id: write.stamp.newId(), expectedIndex }));
        await deps.journal.record(key, moved, ids).catch(() => {});
      }
      if (isSent) throw error;
      write.onNotMade(changes);
      // What is recorded and not sent is no write whose answer was lost. If this fails, recovery takes it for one.
      await withdraw(key, ids, deps).catch(() => {});
      throw error;
    });
    replaced = [];
    if (end.kind === 'written') [overtaken, isBegun] = [[], true];
    else write.onNotMade(changes);
    if (end.kind === 'stale' || end.kind === 'conflict') {
      if (isBegun) return { kind: 'again' };
      return end.kind === 'stale' ? { kind: 'stale', replaced: ids } : { kind: 'conflict' };
    }
    if (end.kind === 'refused') {
      if (changes.length > 1) {
        parts.unshift(...split(changes));
        replaced = ids;
      } else refusal ??= end.error;
    }
    if (parts.length === 0) break;
    if (end.kind === 'written') {
      if (write.isTouched()) return { kind: 'again' };
      entry = await intentions.read(destination, signal);
      // The rest was planned beside other sources: another writer may have changed the entry.
      if (!isLikeWritten(entry, entryAfter(sent.base, destination, sent.sources, 0)))
        return { kind: 'again' };
    }
  }
  if (refusal !== undefined) throw refusal;
  return { kind: 'done' };
}

function toDrafts(
  changes: readonly Change[],
  entry: IntentionEntry | undefined,
  { causeOf, residualOf, ...write }: EntryWrite,
  { clock }: Pick<ApplyDeps, 'clock'>,
): readonly DraftDecision[] {
  // A part of a refused entry is recorded much later than the whole.
  const stamp = { ...write.stamp, time: isoInstant(clock) };
  const writeId = stamp.newId();
  return changes.map((change) => {
    const cause = causeOf(change);
    const residual = residualOf(change);
    return {
      writeId,
      ...definedFields({ residual }),
      ...draftOf(change, cause, entry?.modifyIndex ?? 0, stamp),
    };
  });
}

/** What is sent, and the entry that it replaces. */
interface EntryRequest {
  readonly base: IntentionEntry | undefined;
  readonly sources: readonly Source[];
}

function toRequest(
  base: IntentionEntry | undefined,
  changes: readonly Change[],
  owner: string,
): EntryRequest {
  return { base, sources: sourcesAfter(base?.sources ?? [], changes, owner) };
}

function send(
  destination: ServiceName,
  { base, sources }: EntryRequest,
  intentions: Pick<Intentions, 'write' | 'delete'>,
  signal: AbortSignal,
): Promise<WriteAnswer> {
  const index = base?.modifyIndex ?? 0;
  return sources.length === 0
    ? intentions.delete(destination, index, signal)
    : intentions.write(destination, base, sources, index, signal);
}

/** Of two or more changes: the narrowing ones and the rest, or else two halves. */
function split(changes: readonly Change[]): readonly (readonly Change[])[] {
  const narrowing = changes.filter(({ widens }) => !widens);
  if (narrowing.length > 0 && narrowing.length < changes.length)
    return [narrowing, changes.filter(({ widens }) => widens)];
  const middle = Math.ceil(changes.length / 2);
  return [changes.slice(0, middle), changes.slice(middle)];
}
