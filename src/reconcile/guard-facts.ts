import { isAclSubject } from '../apply/acl/acl-draft.js';
import { rulingsOn } from '../operator/approvals.js';
import type { GuardFacts, Loss, RevocationBudget } from '../plan/guards/guard.js';
import { policyOf } from '../plan/mode.js';
import type { KeyRecord } from '../queue/journal.js';
import { countInferred, usedHere } from '../state/fleet.js';
import { aclBudget, countAhead, fleetBudget } from './acl/acl-budget.js';
import { countInSlices } from './count-in-slices.js';
import type { GuardDeps } from './deps.js';

/** Destinations that are counted at once: some milliseconds. */
const SLICE = 50;

/** The facts that guards use besides a key's plan. */
export async function guardFacts(
  losses: readonly Loss[],
  recordedHolds: KeyRecord['holds'],
  deps: GuardDeps,
): Promise<GuardFacts> {
  const { world, acl, contention, clock, space } = deps;
  if (losses.length > 0) await countFleetAhead(deps);
  const rulings = await rulingsOn(losses, recordedHolds, deps);
  const now = clock.now();
  const counted = losses.filter(({ isUnrecorded }) => isUnrecorded !== true);
  return {
    policy: policyOf(world.mapping),
    rulings,
    budget: counted.some(({ subject }) => !rulings.has(subject)) ? budgetFor(counted, deps, now) : undefined,
    isContended: (subject) => contention.isContended(subject, now),
    freeze: world.freezes.at(now),
    opening: acl.opening,
    isStoreLow: space.isLow(),
  };
}

/** Counts in advance what `fleetBudget` needs. */
export async function countFleetAhead(deps: Pick<GuardDeps, 'world' | 'acl' | 'clock'>): Promise<void> {
  await countInSlices((now) => countInferred(deps.world, now, SLICE), deps);
  await countAhead(deps);
}

/** Counts across the fleet. The ACL losses of a key count at least as often as its own plan has them. */
function budgetFor(losses: readonly Loss[], deps: GuardDeps, now: number): RevocationBudget {
  const { window } = deps;
  const counted = aclBudget(deps, now);
  const own = losses.map(({ subject }) => subject).filter(isAclSubject);
  const planned = Math.max(counted.planned, window.rejections.countOf(own, now));
  return {
    ...fleetBudget(deps, now, { ...counted, planned }),
    ...usedHere(
      losses.filter(({ subject }) => !isAclSubject(subject)),
      window,
      now,
    ),
  };
}
