import { isAclActive } from '../apply/acl/acl-state.js';
import { goneTriggers } from '../apply/gone-edges.js';
import { holdTriggers, suppressedClaimTriggers } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import { messageOf } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey, formatKey, parseKey } from '../model/key.js';
import { plainDecision } from '../model/plain-decision.js';
import type { Trigger } from '../model/trigger.js';
import { compareQuarantines } from '../operator/quarantine-records.js';
import { serviceText } from '../plan/world.js';
import { readDifferences } from '../read/read-consul.js';
import { needsUserTokens } from '../read/user-token-facts.js';
import { planningFleet } from '../state/fleet.js';
import { losingDestinations, toTriggers } from '../state/observe-consul.js';
import { aclBudget, countAhead } from './acl/acl-budget.js';
import { sweepAcl } from './acl/sweep-acl.js';
import { type ReconcilerDeps, stampOf } from './deps.js';
import { inTurns } from './in-turns.js';
import { jwtProviderTriggers } from './jwt-provider-plans.js';
import { settled } from './settled.js';

export interface SweepSummary {
  readonly destinations: number;
  /** Of these, the ones that waited for their job and were left to it; absent for 0. */
  readonly waiting?: number;
  readonly ownedEdges: number;
  readonly changes: number;
  readonly holds: number;
  /** Names and policies of ours in Consul's ACL; absent if ACL objects are not read. */
  readonly aclObjects?: number;
}

/** The complete comparison: plans every destination from a fresh read, and queues those with work. */
export async function sweep(deps: ReconcilerDeps, signal: AbortSignal): Promise<SweepSummary> {
  await readDifferences(deps, signal);
  // A failure with the KV does not keep an edge from being compared.
  const quarantines = await settled(() => compareQuarantines('resync', deps, signal));
  const cause = { kind: 'resync' as const, receivedAt: isoInstant(deps.clock) };
  await countAhead(deps);
  const entries = new Map(deps.world.entries);
  // Each destination with work is planned again by its job. One that waits for it and has nothing of ours can lose nothing.
  let waiting = 0;
  const isLeft = (destination: ServiceName) => {
    const key = destinationKey(destination.name, destination.namespace, destination.partition);
    const { owned, records, mapping } = deps.world;
    const hasOurs = owned.destinations().has(serviceText(destination)) || records.of(formatKey(key)).size > 0;
    // What needs a jwt-provider is planned: only the plans of all destinations together ask for it again.
    if (hasOurs || !deps.queue.isReady(key) || needsUserTokens(mapping)) return false;
    waiting++;
    return true;
  };
  const now = () => deps.clock.now();
  const budget = aclBudget(deps, now());
  const planning = planningFleet(deps.world, deps.window, now, budget, undefined, isLeft);
  const plans = await inTurns(planning, signal);
  const pending = plans.filter(
    ({ changes, holds, awaits = [], records }) =>
      changes.length + holds.length + awaits.length > 0 || records !== undefined,
  );
  const destinations = pending.flatMap(({ key }) => {
    if (key.kind !== 'destination') return [];
    const destination = { partition: key.partition, namespace: key.namespace, name: key.service };
    const text = serviceText(destination);
    // A job wrote the entry meanwhile, or a watch saw another one and queued it: in a first sync these are thousands.
    return deps.world.entries.get(text) === entries.get(text) ? destination : [];
  });
  await deps.queue.add([
    ...toTriggers(destinations, cause, losingDestinations(pending)),
    ...jwtProviderTriggers(plans, cause, deps),
    ...(await holdTriggers(cause, deps)),
    ...suppressedClaimTriggers(cause, deps),
    ...(await leftoverTriggers(cause, deps)),
    ...goneTriggers(cause, deps),
  ]);
  // After the destinations are queued: a failure with ACL objects does not keep an edge from being compared.
  const acl = await sweepAcl(deps, cause, signal);
  await deps.queue.add(acl.triggers);
  if (acl.failure !== undefined) throw acl.failure;
  if (quarantines.status === 'rejected') throw quarantines.reason;
  const summary: SweepSummary = {
    destinations: plans.length + waiting,
    ...(waiting === 0 ? {} : { waiting }),
    ownedEdges: deps.world.owned.count,
    changes: plans.reduce((sum, plan) => sum + plan.changes.length, acl.changes),
    holds: plans.reduce((sum, plan) => sum + plan.holds.length, acl.holds),
    ...(isAclActive(deps) ? { aclObjects: acl.objects } : {}),
  };
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
  await noteDefaultPolicy(deps, signal);
  return summary;
}

/** Every key with a recorded and unsettled write, left by a crash or a lost answer. */
export async function leftoverTriggers(
  cause: Cause,
  deps: Pick<ReconcilerDeps, 'journal'>,
): Promise<readonly Trigger[]> {
  const { pendingKeys } = await deps.journal.overview({ limit: 0 });
  return pendingKeys.flatMap((text) => {
    const key = parseKey(text);
    return key === undefined ? [] : [{ key, cause }];
  });
}

async function noteDefaultPolicy(deps: ReconcilerDeps, signal: AbortSignal): Promise<void> {
  try {
    const { defaultPolicy, aclCache } = await deps.consul.inspect(signal);
    deps.acl.noteAgentCache(aclCache, deps.clock.now());
    deps.metrics.gauge('scopemesh_consul_default_allow', defaultPolicy === 'allow' ? 1 : 0);
    if (defaultPolicy === 'allow') {
      deps.logger.error(
        {},
        'the mesh allows what no intention denies: set acl.default_policy to deny, or a deny intention from * to *',
      );
    }
  } catch (error) {
    deps.logger.debug({ error: messageOf(error) }, 'the default policy could not be read');
  }
}
