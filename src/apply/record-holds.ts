import type { Cause } from '../model/cause.js';
import type { HoldReason } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { clientKey } from '../model/key.js';
import { type Trigger, triggersOf } from '../model/trigger.js';
import { endedHold, fingerprintOf, holdKey, isApprovable, isDelay, mergeHolds } from '../plan/holds.js';
import type { Hold } from '../plan/plan.js';
import { mayOnlyLose, serviceText } from '../plan/world.js';
import type { HeldChange, Journal, KeyRecord, RecordedHold, SettledDecision } from '../queue/journal.js';
import { holdDecision } from './decision-drafts.js';
import { type HoldDeps, stampOf } from './deps.js';
import { announceSettled } from './settle.js';

/**
 * Records a decision when a hold begins, and one when it ends. `concerns`: the subjects for which `holds` is complete;
 * another part of the job records the other holds of the key. `decided`: subjects that the job changes or has a ruling on,
 * so that their earlier holds end in any case.
 */
export async function recordHolds(
  key: string,
  record: KeyRecord,
  holds: readonly Hold[],
  cause: Cause,
  deps: HoldDeps,
  concerns: (subject: string) => boolean = () => true,
  decided: ReadonlySet<string> = new Set(),
): Promise<void> {
  if (holds.length === 0 && record.holds.size === 0) return;
  const current = new Map(mergeHolds(holds).map((hold) => [holdKey(hold), hold]));
  const decisions: SettledDecision[] = [];
  const update = new Map<string, RecordedHold | null>();
  const stamp = stampOf(deps);
  // The space that the store keeps back is for revocations. The other holds are recorded when it has room: also those of
  // marks without a record, which anyone who writes intentions can make.
  const isLow = deps.space.isLow();
  // The ends come first: a reader takes the last decision about a subject for what holds now.
  const delayed = new Set(holds.flatMap(({ subject, reason }) => (isDelay(reason) ? [subject] : [])));
  for (const [name, known] of isLow ? [] : record.holds) {
    if (!concerns(known.subject) || current.has(name)) continue;
    const isDecided = decided.has(known.subject);
    if (!isDecided && isUndecided(known, deps)) continue;
    const cameBack = isDecided || !mayFlap(known.reason) ? 0 : deps.flaps.end(name, deps.clock.now());
    if (cameBack === undefined) continue;
    update.set(name, null);
    const isPlan = known.reason === 'ModeForbids';
    // Only for edges: `trial` says when a plan ended that was not carried out. A change that is delayed is still planned.
    const isMade = isDecided || !known.subject.startsWith('intention/');
    if (isPlan && (isMade || delayed.has(known.subject))) continue;
    decisions.push(holdDecision(endedHold(known, cameBack), isPlan ? 'planned' : 'released', cause, stamp));
  }
  for (const [name, hold] of current) {
    if (deps.flaps.isBack(name)) deps.metrics.count('scopemesh_decisions_suppressed_total', { kind: 'end' });
    if (isLow && !isRecordedWhenLow(hold)) continue;
    const known = record.holds.get(name);
    const fingerprint = fingerprintOf(hold);
    if (known !== undefined && known.fingerprint === fingerprint) continue;
    const more = takeHold(hold, deps);
    if (more === undefined) continue;
    const recorded =
      more === 0
        ? hold
        : {
            ...hold,
            detail: `${hold.detail}; ${more} more holds of this service were not recorded`,
          };
    const decision = holdDecision(recorded, hold.reason === 'ModeForbids' ? 'planned' : 'held', cause, stamp);
    decisions.push(decision);
    update.set(name, {
      subject: hold.subject,
      reason: hold.reason,
      decisionId: decision.id,
      since: stamp.time,
      detail: hold.detail,
      fingerprint,
      ...(hold.reason === 'Frozen' ? definedFields({ changeReason: hold.changeReason }) : {}),
      ...(hold.reason === 'ClientQuarantined' && hold.client !== undefined
        ? { client: { provider: hold.client.provider, clientId: hold.client.clientId } }
        : {}),
      ...(isApprovable(hold.reason) ? { change: changeOf(decision) } : {}),
    });
    deps.logger.warn(
      { subject: hold.subject, reason: hold.reason, detail: hold.detail, decision: decision.id },
      'a change is held',
    );
  }
  if (update.size === 0) return;
  await deps.journal.settle(key, decisions, { holds: update });
  announceSettled(decisions, deps);
}

function changeOf({ action, client, scopes, before, after }: SettledDecision): HeldChange {
  return { action, ...definedFields({ client, scopes, before, after }) };
}

/** Whether the end waits if the hold often comes back. The end of the others is the reason of what opens then. */
function mayFlap(reason: HoldReason): boolean {
  return reason !== 'Frozen' && reason !== 'ClientQuarantined' && reason !== 'ModeForbids';
}

function isRecordedWhenLow({ action, reason }: Hold): boolean {
  return reason === 'RevocationLimit' || (action === 'revoke' && reason !== 'MarkUnrecorded');
}

/**
 * The number of earlier holds that were not recorded. Undefined: a service that its owner can make hold without end made too
 * many lately. The hold is recorded later, if it still exists then.
 */
function takeHold(
  { resource, reason }: Hold,
  { claimHolds, markHolds, clock, metrics }: Pick<HoldDeps, 'claimHolds' | 'markHolds' | 'clock' | 'metrics'>,
): number | undefined {
  const { namespace = '', partition = '' } = resource;
  const bounded =
    resource.kind === 'claim'
      ? { kind: 'claim', budget: claimHolds, name: resource.name }
      : reason === 'MarkUnrecorded'
        ? { kind: 'mark', budget: markHolds, name: resource.destination }
        : undefined;
  if (bounded === undefined) return 0;
  const { kind, budget, name = '' } = bounded;
  const more = budget.take(serviceText({ name, namespace, partition }), clock.now());
  if (more === undefined) metrics.count('scopemesh_decisions_suppressed_total', { kind });
  return more;
}

/** The clients of claims whose hold was not recorded and may be now. Logs once how many there are. */
export function suppressedClaimTriggers(
  cause: Cause,
  deps: Pick<HoldDeps, 'claimHolds' | 'world' | 'clock' | 'logger'>,
): readonly Trigger[] {
  const now = deps.clock.now();
  const suppressed = deps.claimHolds.suppressed(now);
  if (suppressed.length === 0) return [];
  const holds = suppressed.reduce((sum, each) => sum + each.holds, 0);
  const services = suppressed.length;
  const examples = suppressed.slice(0, 5).map(({ service }) => service);
  deps.logger.warn(
    { services, holds, examples },
    'services change their claims too often: not every hold of a claim is recorded',
  );
  const statuses = deps.world.claimStatuses(now);
  return suppressed.flatMap(({ service, isDue }) => {
    const claim = isDue ? statuses.get(service) : undefined;
    if (claim === undefined || claim.kind === 'none') return [];
    return { key: clientKey(claim.client.provider, claim.client.clientId), cause };
  });
}

/** Every key with a recorded hold, so that its end is noticed even if nothing else triggers the key. */
export async function holdTriggers(
  cause: Cause,
  deps: { readonly journal: Pick<Journal, 'overview'> },
): Promise<readonly Trigger[]> {
  const { holds } = await deps.journal.overview();
  return triggersOf(new Set(holds.map(({ key }) => key)), cause);
}

/** Whether the cause of the hold is unknown now, because the catalog or the directory was never read completely. */
function isUndecided(known: RecordedHold, deps: Pick<HoldDeps, 'world' | 'clock'>): boolean {
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
  const now = deps.clock.now();
  const existing = world.claimStatuses(now).get(serviceText({ partition, namespace, name }));
  if (existing === undefined || existing.kind === 'none') return false;
  return existing.kind === 'unknown' || mayOnlyLose(world.view(now), existing.client);
}
