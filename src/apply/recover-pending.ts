import type { DraftDecision } from '../model/decision.js';
import type { IntentionEntry } from '../model/intention.js';
import { toLastAppliedText } from '../plan/last-applied.js';
import { isOwned } from '../plan/ownership.js';
import { claimSubject } from '../plan/plan.js';
import type { KeyRecord, SettledDecision } from '../queue/journal.js';
import type { RevocationWindow } from '../state/revocation-window.js';
import type { Touched } from '../state/touched.js';
import { viewOf } from './decision-drafts.js';
import type { ApplyDeps, TargetDeps } from './deps.js';
import { INTERRUPTED, outcomeByIndex, settleFound, toSettled } from './settle.js';

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
  if (record.pending.length === 0) return record.lastApplied;
  const lastApplied = new Map(record.lastApplied);
  const decisions: SettledDecision[] = [];
  for (const draft of record.pending) {
    const now = viewOf(accessNow(draft, entry, deps));
    const decision = toSettled(draft, outcomeByIndex(draft, now, entry?.modifyIndex ?? 0), deps.clock.now());
    decisions.push(decision);
    if (decision.outcome === 'failed') deps.window.releaseEdge(draft.subject);
    else deps.window.confirmEdge(draft.subject);
    if (decision.outcome === 'applied') lastApplied.set(draft.subject, writtenOf(draft, entry, deps));
    deps.logger.warn(
      { subject: draft.subject, outcome: decision.outcome, decision: draft.id },
      'settled a write that a crash or a lost answer left open',
    );
  }
  await settleFound(key, decisions, { lastApplied }, deps);
  return lastApplied;
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
  const decisions = pending.map((draft) => {
    const stands = records.some((each) => claimSubject(each, each.service.name) === draft.subject);
    return toSettled(
      draft,
      stands === (draft.action === 'grant') ? { outcome: 'applied' } : INTERRUPTED,
      nowMs,
    );
  });
  await settleFound(key, decisions, {}, deps);
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
