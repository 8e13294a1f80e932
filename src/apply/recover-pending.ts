import type { DraftDecision } from '../model/decision.js';
import type { IntentionEntry } from '../model/intention.js';
import { isOwned } from '../plan/ownership.js';
import { claimSubject } from '../plan/plan.js';
import { toWrittenText } from '../plan/written.js';
import type { KeyRecord, SettledDecision } from '../queue/journal.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { Touched } from '../state/touched.js';
import { settledOf, viewOf } from './decision-drafts.js';
import type { ApplyDeps, TargetDeps } from './deps.js';
import { INTERRUPTED } from './settle.js';

type EntryDeps = ApplyDeps & Pick<TargetDeps, 'world'> & { readonly window: RevocationWindow };

/**
 * Settles what a crash left: each draft of the key is judged by what Consul holds now.
 *
 * | the source now | entry's index | outcome |
 * |---|---|---|
 * | as the draft wanted it | moved | `applied` |
 * | as it was before | the draft's | `failed` (`Interrupted`): the write never arrived |
 * | anything else | | `unknown`, and it is said |
 *
 * Returns what is remembered of the key's edges afterwards.
 */
export async function recoverPending(
  key: string,
  record: KeyRecord,
  entry: IntentionEntry | undefined,
  deps: EntryDeps,
): Promise<ReadonlyMap<string, string>> {
  if (record.pending.length === 0) return record.lastWritten;
  const lastWritten = new Map(record.lastWritten);
  const decisions: SettledDecision[] = [];
  for (const draft of record.pending) {
    const decision = judge(draft, entry, deps);
    decisions.push(decision);
    if (decision.outcome === 'failed') deps.window.giveBack(draft.subject);
    else deps.window.made(draft.subject);
    if (decision.outcome === 'applied') lastWritten.set(draft.subject, writtenOf(draft, entry, deps));
    deps.logger.warn(
      { subject: draft.subject, outcome: decision.outcome, decision: draft.id },
      'settled a write that a crash or a lost answer left open',
    );
    count(decision, deps);
  }
  await deps.journal.settle(key, decisions, { lastWritten });
  deps.onSettled();
  return lastWritten;
}

/** The same for the records of claims: what stands in KV decides. `took` hears what reading them changed. */
export async function recoverPendingClaims(
  key: string,
  record: KeyRecord,
  took: (touched: Touched) => Promise<void>,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<void> {
  const pending = record.pending.filter(({ resource }) => resource.kind === 'claim');
  if (pending.length === 0) return;
  const read = deps.world.beginRead();
  const records = await deps.consul.claims.list(signal);
  await took(deps.world.putClaimRecords(records, read));
  const nowMs = deps.clock.now();
  const at = { nowMs, time: new Date(nowMs).toISOString() };
  const decisions = pending.map((draft) => {
    const stands = records.some((each) => claimSubject(each, each.service.name) === draft.subject);
    return settledOf(
      draft,
      stands === (draft.action === 'grant') ? { ...at, outcome: 'applied' } : { ...at, ...INTERRUPTED },
    );
  });
  await deps.journal.settle(key, decisions);
  for (const decision of decisions) count(decision, deps);
  deps.onSettled();
}

function count(decision: SettledDecision, deps: ApplyDeps): void {
  deps.metrics.count('scopemesh_decisions_total', { outcome: decision.outcome, reason: decision.reason });
}

function judge(draft: DraftDecision, entry: IntentionEntry | undefined, deps: EntryDeps): SettledDecision {
  const nowMs = deps.clock.now();
  const at = { nowMs, time: new Date(nowMs).toISOString() };
  const current = JSON.stringify(viewOf(accessNow(draft, entry, deps)));
  const index = entry?.modifyIndex ?? 0;
  if (current === JSON.stringify(draft.after) && (index !== draft.expectedIndex || index === 0)) {
    return settledOf(draft, { ...at, outcome: 'applied', ...(index === 0 ? {} : { modifyIndex: index }) });
  }
  if (current === JSON.stringify(draft.before) && index === draft.expectedIndex) {
    return settledOf(draft, { ...at, ...INTERRUPTED });
  }
  return settledOf(draft, {
    ...at,
    outcome: 'unknown',
    reason: 'Interrupted',
    detail:
      'scopemesh was interrupted at this write, and the entry has changed since: whether it was made cannot be known',
  });
}

function accessNow(draft: DraftDecision, entry: IntentionEntry | undefined, deps: EntryDeps) {
  const { owner } = deps.world.mapping;
  return entry?.sources.find((source) => source.name === draft.resource.source && isOwned(owner, source))
    ?.access;
}

function writtenOf(draft: DraftDecision, entry: IntentionEntry | undefined, deps: EntryDeps): string {
  const access = accessNow(draft, entry, deps);
  return toWrittenText(
    access === undefined || access.kind === 'other' ? undefined : access,
    draft.opensBy ?? [],
  );
}
