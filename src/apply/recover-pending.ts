import type { DraftDecision } from '../model/decision.js';
import type { IntentionEntry } from '../model/intention.js';
import { isOfWrittenEdge, REMOVED, toLastAppliedText, toUncertainText } from '../plan/last-applied.js';
import { isOwned } from '../plan/ownership.js';
import type { KeyRecord, SettledDecision } from '../queue/journal.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import { mayRemove, viewOf } from './decision-drafts.js';
import type { ApplyDeps, TargetDeps } from './deps.js';
import type { ObservedObject } from './lost-answers.js';
import { type Recovered, type RecoveredTarget, recoverWrites } from './recover-writes.js';

type EntryDeps = ApplyDeps & Pick<TargetDeps, 'world'> & { readonly window: RevocationWindow };

/** Settles the writes of an entry that a crash or a lost answer left open, by what Consul has now. */
export async function recoverPending(
  key: string,
  record: KeyRecord,
  entry: IntentionEntry | undefined,
  deps: EntryDeps,
): Promise<Recovered> {
  // Nothing shows what became of them.
  if (entry?.unreadable !== undefined && record.pending.length > 0)
    return { open: record.pending, lastApplied: recordsWithPending(record) };
  const index = entry?.modifyIndex ?? 0;
  const find = (draft: DraftDecision): ObservedObject => {
    const access = accessNow(draft, entry, deps);
    // The access before and after an ejection is the same. If the mark is back, or still there, is unknown after a change.
    const isEjected = draft.reason === 'Ejected';
    const isChanged = index !== draft.expectedIndex;
    const view = !isEjected ? viewOf(access) : access !== undefined && isChanged ? null : draft.after;
    return { isNow: (wanted) => JSON.stringify(wanted) === JSON.stringify(view), index };
  };
  const target: RecoveredTarget = {
    find,
    remember: (draft, outcome, known) => {
      if (outcome === 'applied') return writtenOf(draft, entry, deps);
      if (outcome === 'unknown' && mayBeGone(draft, entry, known))
        return toUncertainText(draft.opensBy ?? []);
      const isThere = outcome !== undefined && accessNow(draft, entry, deps) !== undefined;
      return mayHaveWritten(draft, known) ? uncertainOf(draft, isThere) : undefined;
    },
    onJudged: (decisions, open) => countRemovals(decisions, open, deps.window),
  };
  return recoverWrites(key, record, target, deps);
}

/**
 * The records of a key, before its pending drafts are judged. A write that may have been made counts as a record: its edge
 * is of scopemesh, and must not wait for a person.
 */
export function recordsWithPending({ pending, lastApplied }: KeyRecord): ReadonlyMap<string, string> {
  const writing = pending.filter((draft) => mayHaveWritten(draft, lastApplied));
  if (writing.length === 0) return lastApplied;
  return new Map([
    ...writing.map((draft) => [draft.subject, uncertainOf(draft, true)] as const),
    ...lastApplied,
  ]);
}

/** Whether the draft may have written an edge that has no record. */
function mayHaveWritten(
  { subject, resource, after }: DraftDecision,
  lastApplied: ReadonlyMap<string, string>,
): boolean {
  return resource.kind === 'intention' && after !== null && !lastApplied.has(subject);
}

/**
 * Whether the write of an edge that is not there may have been made. The trail shows it as possibly open. With a record, its
 * absence is reported if nothing wants it any more.
 */
function mayBeGone(
  { subject, resource, after }: DraftDecision,
  entry: IntentionEntry | undefined,
  lastApplied: ReadonlyMap<string, string>,
): boolean {
  if (resource.kind !== 'intention' || after === null) return false;
  const isThere = entry?.sources.some(({ name }) => name === resource.source) ?? false;
  return !isThere && !isOfWrittenEdge(lastApplied.get(subject));
}

/** A write that was not made yet may still reach Consul late. Then its edge counts as one that was removed. */
function uncertainOf({ opensBy }: DraftDecision, exists: boolean): string {
  return exists ? toUncertainText(opensBy ?? []) : REMOVED;
}

/** Several writes may be about one edge: it counts if one was made, stays reserved while one may be, or is released. */
function countRemovals(
  decisions: readonly SettledDecision[],
  open: readonly DraftDecision[],
  window: RevocationWindow,
): void {
  const removals = decisions.filter(mayRemove);
  const made = new Set(removals.flatMap(({ subject, outcome }) => (outcome === 'failed' ? [] : subject)));
  const mayCome = new Set(open.filter(mayRemove).map(({ subject }) => subject));
  for (const subject of made) window.confirmEdge(subject);
  for (const subject of mayCome) if (!made.has(subject)) window.reopenEdge(subject);
  for (const { subject } of removals)
    if (!made.has(subject) && !mayCome.has(subject)) window.releaseEdge(subject);
}

function accessNow(draft: DraftDecision, entry: IntentionEntry | undefined, deps: EntryDeps) {
  const { owner } = deps.world.mapping;
  return entry?.sources.find((source) => source.name === draft.resource.source && isOwned(owner, source))
    ?.access;
}

function writtenOf(draft: DraftDecision, entry: IntentionEntry | undefined, deps: EntryDeps): string {
  const access = accessNow(draft, entry, deps);
  return toLastAppliedText(
    access === undefined || access.kind === 'other' ? undefined : access,
    draft.opensBy ?? [],
  );
}
