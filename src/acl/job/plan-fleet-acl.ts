import { type Guardable, guard } from '../../plan/guards/guards.js';
import type { Hold } from '../../plan/plan.js';
import type { ClientId } from '../../plan/world.js';
import type { ReconcilerDeps } from '../../reconcile/deps.js';
import { type AclBudget, fleetGuardFacts, NO_ACL } from '../../state/fleet.js';
import { isAclActive } from '../apply/acl-state.js';
import type { AclChange, AclPlan } from '../plan/acl-change.js';
import { clientsWithAcl } from '../state/acl-owners.js';
import { guardableClient } from '../state/guard-acl.js';
import { guardableOrphans, guardableUnlinked } from '../state/guard-left.js';
import { guardablePeople } from '../state/guard-people.js';
import { factsOfPeople, planPeopleFleet } from '../state/people-acl.js';
import { aclBudget, countAhead, fleetBudget } from './acl-budget.js';
import { planAcl } from './plan-clients.js';

/** All changes of ACL objects that would be made now, and all holds. */
export interface AclFleetPlan {
  readonly changes: readonly AclChange[];
  readonly holds: readonly Hold[];
  /** The clients with changes or holds, those with losses first. */
  readonly clients: readonly ClientId[];
  /** The providers whose people have changes or holds. */
  readonly people: readonly string[];
  /** The count for the mass guard. */
  readonly budget: AclBudget;
}

export const NO_ACL_PLAN: AclFleetPlan = {
  changes: [],
  holds: [],
  clients: [],
  people: [],
  budget: NO_ACL,
};

/** The ACL part of the plan of the whole fleet, by the last read. */
export async function planAclFleet(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'window' | 'clock'>,
): Promise<AclFleetPlan> {
  if (!isAclActive(deps)) return NO_ACL_PLAN;
  const ids = clientsWithAcl(deps);
  const plans = await planAcl(ids, deps);
  await countAhead(deps);
  const now = deps.clock.now();
  const budget = aclBudget(deps, now);
  const whole = fleetBudget(deps, now, budget);
  const changes: AclChange[] = [];
  const holds: Hold[] = [];
  const add = <P extends AclPlan>(kind: Guardable<AclChange, P>) => {
    const guarded = guard(kind, fleetGuardFacts(kind.losses, whole, deps, now));
    changes.push(...guarded.changes);
    holds.push(...guarded.holds);
  };
  const losing: ClientId[] = [];
  const others: ClientId[] = [];
  for (const { plan, rest } of plans) {
    if (plan.changes.length + plan.holds.length === 0) continue;
    add(guardableClient(plan, rest));
    (plan.changes.some((change) => change.narrows) ? losing : others).push(plan.client);
  }
  const people = planPeopleFleet(deps);
  const pending = people.filter(({ plan }) => plan.changes.length + plan.holds.length > 0);
  for (const { provider } of pending) add(guardablePeople(factsOfPeople(provider, deps), deps.acl));
  const orphans = guardableOrphans(deps);
  if (orphans !== undefined) add(orphans);
  add(guardableUnlinked([...plans.map(({ plan }) => plan), ...people.map(({ plan }) => plan)], deps));
  return {
    changes: unique(changes),
    holds,
    clients: [...losing, ...others],
    people: pending.map(({ provider }) => provider),
    budget,
  };
}

/** Clients and people share policies: each is written once. */
function unique(changes: readonly AclChange[]): readonly AclChange[] {
  const seen = new Set<string>();
  return changes.filter(({ resource, subject, verb }) => {
    const key = `${verb} ${subject}`;
    const isKnown = resource.kind === 'acl-policy' && seen.has(key);
    seen.add(key);
    return !isKnown;
  });
}
