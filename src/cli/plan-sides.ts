import { planAclFleet } from '../acl/job/plan-fleet-acl.js';
import { type Clock, systemClock } from '../clock.js';
import { type FleetPlan, planEverything } from '../reconcile/fleet-plan.js';
import type { CurrentState } from './load-current-state.js';

/** The whole plan from what was read, under the present mapping of the world. */
export async function planSides(
  { world, window, acl, consul }: Pick<CurrentState, 'world' | 'window' | 'acl' | 'consul'>,
  clock: Clock = systemClock,
): Promise<FleetPlan> {
  const aclPlan = await planAclFleet({ world, window, acl, clock });
  return planEverything(world, window, clock.now(), aclPlan, consul.intentions);
}
