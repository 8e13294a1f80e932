import { systemClock } from '../clock.js';
import { planAclFleet } from '../reconcile/acl/plan-fleet-acl.js';
import { type FleetPlan, planEverything } from '../reconcile/fleet-plan.js';
import type { BothSides } from './load-current-state.js';

/** The whole plan from what was read, under the present mapping of the world. */
export async function planSides({
  world,
  window,
  acl,
  consul,
}: Pick<BothSides, 'world' | 'window' | 'acl' | 'consul'>): Promise<FleetPlan> {
  const aclPlan = await planAclFleet({ world, window, acl, clock: systemClock });
  return planEverything(world, window, systemClock.now(), aclPlan, consul.intentions);
}
