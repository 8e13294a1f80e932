import type { Principal } from '../model/cause.js';
import type { Mapping } from '../model/rule.js';
import type { Change, Plan } from './plan.js';
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

/** A person's no to a removal by inference. */
export interface Rejection {
  readonly by: Principal;
  /** ISO 8601. */
  readonly at: string;
}

/** How many edges may go by inference within one window. */
export function revocationLimit(mapping: Pick<Mapping, 'maxRevocations'>, ownedAtStart: number): number {
  return Math.max(
    mapping.maxRevocations.atLeast,
    Math.floor((mapping.maxRevocations.percent / 100) * ownedAtStart),
  );
}

/**
 * The mass guard: if the fleet would lose more edges by inference than the limit, every such removal is held that
 * nobody approved, and nothing else is. A removal that the IdP itself told of is not counted and always passes.
 */
export function guardRevocations(plan: Plan, budget: RevocationBudget, mapping: Mapping): Plan {
  const limit = revocationLimit(mapping, budget.ownedAtStart);
  const isGuarded = (change: Change) => change.isInferred && change.approvedBy === undefined;
  const inferred = plan.changes.filter(isGuarded);
  const wanted = Math.max(budget.wanted, inferred.length);
  if (inferred.length === 0 || budget.used + wanted <= limit) return plan;
  const detail =
    `${budget.used + wanted} of ${budget.ownedAtStart} edges would go within ${Math.round(mapping.maxRevocations.windowMs / 1000)} s ` +
    `only because they are missing from a read; the limit is ${limit}. If that is right, approve it; if not, mend the identity provider`;
  return {
    ...plan,
    changes: plan.changes.filter((change) => !isGuarded(change)),
    holds: [...plan.holds, ...inferred.map((change) => toHold(change, 'RevocationLimit', detail))],
  };
}

/** Removals by inference that a person rejected are held whatever the limit; what the IdP told of is none of those. */
export function holdRejected(plan: Plan, rejectionOf: (change: Change) => Rejection | undefined): Plan {
  const rejected = new Map(
    plan.changes.flatMap((change) => {
      const rejection = change.isInferred ? rejectionOf(change) : undefined;
      return rejection === undefined ? [] : [[change, rejection] as const];
    }),
  );
  if (rejected.size === 0) return plan;
  return {
    ...plan,
    changes: plan.changes.filter((change) => !rejected.has(change)),
    holds: [
      ...plan.holds,
      ...[...rejected].map(([change, rejection]) =>
        toHold(change, 'RevocationLimit', rejectedText(rejection, 'edge')),
      ),
    ],
  };
}

/** What a hold says of itself once a person said no. */
export function rejectedText({ by, at }: Rejection, kept: 'edge' | 'access'): string {
  return `${by.id} rejected this removal at ${at}; the ${kept} is kept`;
}
