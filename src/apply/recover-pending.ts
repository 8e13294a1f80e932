import type { ClaimRecord } from '../model/catalog.js';
import type { DraftDecision } from '../model/decision.js';
import type { IntentionEntry } from '../model/intention.js';
import { isOfWrittenEdge, REMOVED, toLastAppliedText, toUncertainText } from '../plan/last-applied.js';
import { isOwned } from '../plan/ownership.js';
import { claimSubject } from '../plan/plan.js';
import type { KeyRecord, SettledDecision } from '../queue/journal.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { Touched } from '../state/touched.js';
import { mayRemove, viewOf } from './decision-drafts.js';
import type { ApplyDeps, TargetDeps } from './deps.js';
import { judgeByIndex, onItsWayMs } from './lost-answers.js';
import { INTERRUPTED, OVERTAKEN, settleFound, toSettled } from './settle.js';

type EntryDeps = ApplyDeps & Pick<TargetDeps, 'world'> & { readonly window: RevocationWindow };

/** What is known of a key once its pending drafts are judged. */
export interface Recovered {
  readonly lastApplied: ReadonlyMap<string, string>;
  /** Drafts whose request may still reach Consul. They stay pending. */
  readonly open: readonly DraftDecision[];
}

/** Settles the writes of an entry that a crash or a lost answer left open, by what Consul has now. */
export async function recoverPending(
  key: string,
  record: KeyRecord,
  entry: IntentionEntry | undefined,
  deps: EntryDeps,
): Promise<Recovered> {
  const { pending } = record;
  if (pending.length === 0) return { lastApplied: record.lastApplied, open: [] };
  const lastApplied = new Map(record.lastApplied);
  const decisions: SettledDecision[] = [];
  const nowMs = deps.clock.now();
  const find = (draft: DraftDecision) => {
    const access = accessNow(draft, entry, deps);
    const index = entry?.modifyIndex ?? 0;
    if (draft.reason !== 'Ejected') return { view: viewOf(access), index };
    // The access before and after an ejection is the same. If the mark is back, or still there, is unknown after a change.
    const isChanged = index !== draft.expectedIndex;
    return { view: access !== undefined && isChanged ? null : draft.after, index };
  };
  const outcomes = judgeByIndex(pending, find, nowMs);
  for (const [draft, outcome] of outcomes) {
    const decision = toSettled(draft, outcome, nowMs);
    decisions.push(decision);
    if (decision.outcome === 'applied') lastApplied.set(draft.subject, writtenOf(draft, entry, deps));
    else if (mayBeGone(decision, entry, lastApplied))
      lastApplied.set(draft.subject, toUncertainText(draft.opensBy ?? []));
    else if (mayHaveWritten(draft, lastApplied))
      lastApplied.set(draft.subject, uncertainOf(draft, accessNow(draft, entry, deps) !== undefined));
    deps.logger.warn(
      { subject: draft.subject, outcome: decision.outcome, decision: draft.id },
      'settled a write that a crash or a lost answer left open',
    );
  }
  const open = pending.filter((draft) => !outcomes.has(draft));
  for (const draft of open)
    if (mayHaveWritten(draft, lastApplied)) lastApplied.set(draft.subject, uncertainOf(draft, false));
  countRemovals(decisions, open, deps.window);
  await settleFound(key, decisions, { lastApplied }, deps);
  return { lastApplied, open };
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
  { outcome, subject, resource, after }: SettledDecision,
  entry: IntentionEntry | undefined,
  lastApplied: ReadonlyMap<string, string>,
): boolean {
  if (outcome !== 'unknown' || resource.kind !== 'intention' || after === null) return false;
  const isThere = entry?.sources.some(({ name }) => name === resource.source) ?? false;
  return !isThere && !isOfWrittenEdge(lastApplied.get(subject));
}

/** A write that was not made yet may still reach Consul late. Then its edge counts as one that was removed. */
function uncertainOf({ opensBy }: DraftDecision, exists: boolean): string {
  return exists ? toUncertainText(opensBy ?? []) : REMOVED;
}

/** Several writes may be about one edge: it counts if one of them was made, and is released if all of them failed. */
function countRemovals(
  decisions: readonly SettledDecision[],
  open: readonly DraftDecision[],
  window: RevocationWindow,
): void {
  const removals = decisions.filter(mayRemove);
  const kept = [...removals.filter(({ outcome }) => outcome !== 'failed'), ...open.filter(mayRemove)];
  const isKept = new Set(kept.map(({ subject }) => subject));
  for (const { subject } of removals)
    if (isKept.has(subject)) window.confirmEdge(subject);
    else window.releaseEdge(subject);
  for (const { subject } of open.filter(mayRemove)) window.reopenEdge(subject);
}

const UNREADABLE = {
  outcome: 'unknown',
  reason: 'Interrupted',
  detail:
    'scopemesh was interrupted at this write, and the record of the claim cannot be read now: whether it was made cannot be known',
} as const;

/**
 * Settles the writes of claim records in the same way: what Consul's KV has decides. `onTouched` gets what the read
 * changed. Resolves with the drafts whose request may still reach Consul.
 */
export async function recoverPendingClaims(
  key: string,
  record: KeyRecord,
  onTouched: (touched: Touched) => Promise<void>,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<readonly DraftDecision[]> {
  const pending = record.pending.filter(({ resource }) => resource.kind === 'claim');
  if (pending.length === 0) return [];
  const read = deps.world.beginRead();
  const records = await deps.consul.claims.list(signal);
  await onTouched(deps.world.putClaimRecords(records, read));
  const nowMs = deps.clock.now();
  const open: DraftDecision[] = [];
  const decisions: SettledDecision[] = [];
  for (const draft of pending) {
    // A record that cannot be read names its client alone.
    const nameIn = ({ unreadableKey, service }: ClaimRecord) =>
      unreadableKey === undefined ? service.name : (draft.resource.name ?? '');
    const found = records.find((each) => claimSubject(each, nameIn(each)) === draft.subject);
    if (found?.unreadableKey !== undefined) {
      decisions.push(toSettled(draft, UNREADABLE, nowMs));
      continue;
    }
    const isMade = (found !== undefined) === (draft.action === 'grant');
    const isSame = ({ subject, action }: DraftDecision) =>
      subject === draft.subject && action === draft.action;
    // Of equal writes one was made; which one does not matter.
    const outcome = pending.findLast(isSame) === draft ? ({ outcome: 'applied' } as const) : OVERTAKEN;
    if (!isMade && onItsWayMs(draft, nowMs) > 0) open.push(draft);
    else decisions.push(toSettled(draft, isMade ? outcome : INTERRUPTED, nowMs));
  }
  await settleFound(key, decisions, {}, deps);
  return open;
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
