import { planAclFleet } from '../acl/job/plan-fleet-acl.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { type FleetPlan, planningEverything } from '../reconcile/fleet-plan.js';
import { runCooperatively } from '../run-cooperatively.js';

/** The whole plan from what the daemon has last read, with other work in between. Writes nothing. */
export async function planNow(
  deps: Pick<ReconcilerDeps, 'world' | 'window' | 'acl' | 'clock'>,
  signal: AbortSignal,
): Promise<FleetPlan> {
  return runCooperatively(planningEverything(deps, await planAclFleet(deps)), signal);
}
