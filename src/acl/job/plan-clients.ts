import { setImmediate } from 'node:timers/promises';
import { clientKey, formatKey } from '../../model/key.js';
import type { Evidence } from '../../model/trigger.js';
import { policyOf } from '../../plan/mode.js';
import type { ClientId } from '../../plan/world.js';
import type { ReconcilerDeps } from '../../reconcile/deps.js';
import { type ClientAclPlan, objectNamesOf, planClientAcl, planHeldLoss } from '../state/plan-client-acl.js';

const SLICE = 100;

interface PlannedAcl {
  readonly plan: ClientAclPlan;
  /** The plan without the loss, if that is held. */
  readonly rest: () => ClientAclPlan;
  /** A job of the client was writing by an earlier plan when this one was made. */
  readonly isUnderWay: boolean;
}

/** The plans of clients by the last read, before the guards. */
export async function planAcl(
  ids: readonly ClientId[],
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'clock'>,
  evidenceOf: (id: ClientId) => readonly Evidence[] = () => [],
): Promise<readonly PlannedAcl[]> {
  const { world, acl, clock } = deps;
  const { plansNarrowing } = policyOf(world.mapping);
  const plans: PlannedAcl[] = [];
  for (const [at, id] of ids.entries()) {
    // Other work runs between the plans of thousands.
    if (at % SLICE === SLICE - 1) await setImmediate();
    const key = formatKey(clientKey(id.provider, id.clientId));
    const { name, policies } = objectNamesOf(id, deps);
    const facts = {
      actual: acl.cache.snapshot([name], policies),
      evidence: evidenceOf(id),
      grantReason: world.mappingDoubt.grantReason,
      plansNarrowing,
    };
    const known = { ...facts, lastApplied: world.records.of(key) };
    plans.push({
      isUnderWay: acl.isUnderWay(key),
      plan: planClientAcl(id, known, deps, clock.now()),
      rest: () => planHeldLoss(id, known, deps, clock.now()),
    });
  }
  return plans;
}

/** Whether the client's job has, or may have, changes or holds. */
export function isPending({ plan, isUnderWay }: PlannedAcl): boolean {
  return isUnderWay || plan.changes.length + plan.holds.length > 0;
}
