import type { Mapping } from '../model/rule.js';
import type { Plan } from './plan.js';
import { toHold } from './plan-destination.js';

/** Counts of the fleet, in edges. */
export interface RevocationBudget {
  /** Owned edges at the start of the window. */
  readonly ownedAtStart: number;
  /** Removals by inference already made within the window. */
  readonly used: number;
  /** Removals by inference that all plans of the fleet together want now, this one's included. */
  readonly wanted: number;
}

/** How many edges may go by inference within one window. */
export function revocationLimit(mapping: Pick<Mapping, 'maxRevocations'>, ownedAtStart: number): number {
  return Math.max(
    mapping.maxRevocations.atLeast,
    Math.floor((mapping.maxRevocations.percent / 100) * ownedAtStart),
  );
}

/**
 * The mass guard: if the fleet would lose more edges by inference than the limit, every such removal is held, and
 * nothing else is. A removal that the IdP itself told of is not counted and always passes.
 */
export function guardRevocations(plan: Plan, budget: RevocationBudget, mapping: Mapping): Plan {
  const limit = revocationLimit(mapping, budget.ownedAtStart);
  const inferred = plan.changes.filter((change) => change.isInferred);
  const wanted = Math.max(budget.wanted, inferred.length);
  if (inferred.length === 0 || budget.used + wanted <= limit) return plan;
  const detail =
    `${budget.used + wanted} of ${budget.ownedAtStart} edges would go within ${Math.round(mapping.maxRevocations.windowMs / 1000)} s ` +
    `only because they are missing from a read; the limit is ${limit}. If that is right, approve it; if not, mend the identity provider`;
  return {
    ...plan,
    changes: plan.changes.filter((change) => !change.isInferred),
    holds: [...plan.holds, ...inferred.map((change) => toHold(change, 'RevocationLimit', detail))],
  };
}
