import { isAclActive } from '../acl/apply/acl-state.js';
import { aclBudget, countAhead } from '../acl/job/acl-budget.js';
import { sweepAcl } from '../acl/job/sweep-acl.js';
import { type ApplyDeps, type StampDeps, stampOf } from '../apply/deps.js';
import { goneTriggers } from '../apply/record-gone-edges.js';
import { holdTriggers, suppressedClaimTriggers } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import type { Cause } from '../model/cause.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { destinationKey, formatKey } from '../model/key.js';
import { plainDecision } from '../model/plain-decision.js';
import type { Mapping } from '../model/rule.js';
import { compareQuarantines } from '../operator/quarantine-records.js';
import type { Plan } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import { noteDefaultPolicy } from '../read/note-default-policy.js';
import { readDifferences } from '../read/read-consul.js';
import { needsUserTokens } from '../read/user-token-facts.js';
import { runCooperatively } from '../run-cooperatively.js';
import { planningFleet } from '../state/fleet.js';
import { losingDestinations, toTriggers } from '../state/observe-consul.js';
import type { SweepDeps } from './deps.js';
import { jwtProviderTriggers } from './jwt-provider-plans.js';
import { pendingTriggers } from './pending-triggers.js';
import { runSettled } from './run-settled.js';

/** The complete comparison: plans every destination from a fresh read, and queues those with work. */
export async function sweep(deps: SweepDeps, signal: AbortSignal): Promise<SweepSummary> {
  const { world, queue } = deps;
  await readDifferences(deps, signal);
  const since = deps.clock.now();
  // A failure with the KV does not keep an edge from being compared.
  const quarantines = await runSettled(() => compareQuarantines('resync', deps, signal));
  const cause = { kind: 'resync' as const, receivedAt: isoInstant(deps.clock) };

  await countAhead(deps);
  const read = new Map(world.entries);
  const { plans, waiting } = await planInTurns(since, deps, signal);
  const pending = plans.filter(hasWork);

  await queue.add([
    ...toTriggers(unwritten(pending, read, world), cause, losingDestinations(pending)),
    ...jwtProviderTriggers(plans, cause, deps),
    ...(await holdTriggers(cause, deps)),
    ...suppressedClaimTriggers(cause, deps),
    // Whenever the run of a destination began, what it has pending is its own, or it judged it at its beginning.
    ...(await pendingTriggers(cause, deps)).filter(
      ({ key }) => key.kind !== 'destination' || !queue.sees(key, Number.NEGATIVE_INFINITY),
    ),
    ...goneTriggers(cause, deps),
  ]);
  // After the destinations are queued: a failure with ACL objects does not keep an edge from being compared.
  const acl = await sweepAcl(deps, cause, signal);
  if (quarantines.status === 'rejected') throw quarantines.reason;

  const summary: SweepSummary = {
    destinations: plans.length + waiting,
    ...(waiting === 0 ? {} : { waiting }),
    ownedEdges: world.owned.count,
    changes: plans.reduce((sum, plan) => sum + plan.changes.length, acl.changes),
    holds: plans.reduce((sum, plan) => sum + plan.holds.length, acl.holds),
    ...(isAclActive(deps) ? { aclObjects: acl.objects } : {}),
  };
  await reportSweep(summary, cause, deps);
  await noteDefaultPolicy(deps, signal);
  return summary;
}

/** Plans all destinations but those that have nothing of ours to lose and whose job plans from what was read. */
async function planInTurns(since: number, deps: SweepDeps, signal: AbortSignal) {
  const { world, window, queue } = deps;
  let waiting = 0;
  const isLeft = (destination: ServiceName) => {
    const key = destinationKey(destination.name, destination.namespace, destination.partition);
    const { owned, records, mapping } = world;
    const hasOurs = owned.destinations().has(serviceText(destination)) || records.of(formatKey(key)).size > 0;
    // What needs a jwt-provider is planned: only the plans of all destinations together ask for it again.
    if (hasOurs || !queue.sees(key, since) || needsUserTokens(mapping)) return false;
    waiting++;
    return true;
  };
  const now = () => deps.clock.now();
  const planning = planningFleet(world, window, now, aclBudget(deps, now()), undefined, isLeft);
  const plans = await runCooperatively(planning, signal);
  return { plans, waiting };
}

function hasWork({ changes, holds, awaits = [], records }: Plan): boolean {
  return changes.length + holds.length + awaits.length > 0 || records !== undefined;
}

/**
 * Without those whose entry is another one than the sweep read: a job wrote it meanwhile, or a watch saw another one and
 * queued it. In a first sync these are thousands.
 */
function unwritten(
  plans: readonly Plan[],
  read: ReadonlyMap<string, IntentionEntry>,
  { entries }: SweepDeps['world'],
): readonly ServiceName[] {
  return plans.flatMap(({ key }) => {
    if (key.kind !== 'destination') return [];
    const destination = { partition: key.partition, namespace: key.namespace, name: key.service };
    const text = serviceText(destination);
    return entries.get(text) === read.get(text) ? destination : [];
  });
}

/** The result of a complete comparison. */
interface SweepSummary {
  readonly destinations: number;
  /** Of these, the ones whose own job compares them; absent for 0. */
  readonly waiting?: number;
  readonly ownedEdges: number;
  readonly changes: number;
  readonly holds: number;
  /** Names and policies of ours in Consul's ACL; absent if ACL objects are not read. */
  readonly aclObjects?: number;
}

interface SummaryDeps extends Pick<ApplyDeps, 'journal' | 'metrics' | 'onSettled'>, StampDeps {
  readonly world: { readonly mapping: Pick<Mapping, 'owner' | 'revision'> };
}

/** Records the decision about a comparison, from which others see that it was made. */
async function reportSweep(summary: SweepSummary, cause: Cause, deps: SummaryDeps): Promise<void> {
  const { owner } = deps.world.mapping;
  const decision = plainDecision(
    {
      resource: { kind: 'sweep', name: owner },
      verb: 'completed',
      subject: `sweep/${owner}`,
      outcome: 'observed',
      reason: 'SweepCompleted',
      cause,
      after: summary,
    },
    stampOf(deps),
  );
  await deps.journal.settle(`sweep/${owner}`, [decision]);
  deps.onSettled();
  deps.metrics.gauge('scopemesh_owned_edges', summary.ownedEdges);
  deps.metrics.gauge('scopemesh_sweep_age_seconds', 0);
}
