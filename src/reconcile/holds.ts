import { holdDecision } from '../apply/decision-drafts.js';
import type { Cause } from '../model/cause.js';
import { parseKey } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import { endedHold, fingerprintOf, holdKey, mergeHolds } from '../plan/holds.js';
import type { Hold } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import type { KeyRecord, RecordedHold, SettledDecision } from '../queue/journal.js';
import { type ReconcilerDeps, stampOf } from './deps.js';

/**
 * Records a decision when a hold begins, and one when it ends. `concerns`: the subjects for which `holds` is complete;
 * another part of the job records the other holds of the key.
 */
export async function recordHolds(
  key: string,
  record: KeyRecord,
  holds: readonly Hold[],
  cause: Cause,
  deps: ReconcilerDeps,
  concerns: (subject: string) => boolean = () => true,
): Promise<void> {
  const current = new Map(mergeHolds(holds).map((hold) => [holdKey(hold), hold]));
  const decisions: SettledDecision[] = [];
  const update = new Map<string, RecordedHold | null>();
  const stamp = stampOf(deps);
  for (const [name, hold] of current) {
    const known = record.holds.get(name);
    const fingerprint = fingerprintOf(hold);
    if (known !== undefined && known.fingerprint === fingerprint) continue;
    const decision = holdDecision(hold, hold.reason === 'ModeForbids' ? 'planned' : 'held', cause, stamp);
    decisions.push(decision);
    update.set(name, {
      subject: hold.subject,
      reason: hold.reason,
      decisionId: decision.id,
      since: stamp.time,
      detail: hold.detail,
      fingerprint,
      ...(hold.reason === 'ClientQuarantined' && hold.client !== undefined
        ? { client: { provider: hold.client.provider, clientId: hold.client.clientId } }
        : {}),
    });
    deps.logger.warn(
      { subject: hold.subject, reason: hold.reason, detail: hold.detail, decision: decision.id },
      'a change is held',
    );
  }
  for (const [name, known] of record.holds) {
    if (!concerns(known.subject) || current.has(name) || isUndecided(known, deps)) continue;
    update.set(name, null);
    if (known.reason === 'ModeForbids') continue;
    decisions.push(holdDecision(endedHold(known), 'released', cause, stamp));
  }
  if (update.size === 0) return;
  await deps.journal.settle(key, decisions, { holds: update });
  for (const decision of decisions)
    deps.metrics.count('scopemesh_decisions_total', { outcome: decision.outcome, reason: decision.reason });
  deps.onSettled();
}

/** Every key with a recorded hold, so that its end is noticed even if nothing else triggers the key. */
export async function holdTriggers(
  cause: Cause,
  deps: Pick<ReconcilerDeps, 'journal'>,
): Promise<readonly Trigger[]> {
  const { holds } = await deps.journal.overview();
  return [...new Set(holds.map(({ key }) => key))].flatMap((text) => {
    const key = parseKey(text);
    return key === undefined ? [] : [{ key, cause }];
  });
}

/** Whether the cause of the hold is unknown now, because the catalog or the directory was never read completely. */
function isUndecided(known: RecordedHold, deps: Pick<ReconcilerDeps, 'world' | 'clock'>): boolean {
  const { world } = deps;
  if (world.catalog === undefined) return true;
  const [kind, ...rest] = known.subject.split('/').map(decodeURIComponent);
  if (kind === 'claim' || kind === 'client') {
    const [provider = ''] = rest;
    return world.mapping.providers.includes(provider) && !world.hasDirectory(provider);
  }
  // Recorded only by a job that could see the cause.
  if (kind !== 'intention') return false;
  const [partition = '', namespace = '', , name = ''] = rest;
  const existing = world.claimStatuses(deps.clock.now()).get(serviceText({ partition, namespace, name }));
  return existing?.kind === 'unknown';
}
