import { all, type LossGuard, type RevocationBudget } from './guard.js';

/** How many removals may be made by inference within one window. */
export function revocationLimit({
  maxRevocations,
  ownedAtStart,
}: Pick<RevocationBudget, 'maxRevocations' | 'ownedAtStart'>): number {
  return Math.max(maxRevocations.atLeast, Math.floor((maxRevocations.percent / 100) * ownedAtStart));
}

/** Whether the planned removals exceed the limit of one window. */
export function isBeyondLimit(budget: RevocationBudget): boolean {
  return budget.used + budget.planned > revocationLimit(budget);
}

/**
 * The mass guard: if the fleet would lose more by inference than the limit, it holds every such loss that nobody approved,
 * and nothing else. A removal that the IdP itself reported is not counted and always passes.
 */
export const revocationLimitGuard: LossGuard = ({ losses }, { budget }) => {
  const guarded = losses.filter(({ approvedBy }) => approvedBy === undefined);
  if (guarded.length === 0 || budget === undefined) return new Map();
  const planned = Math.max(budget.planned, guarded.length);
  if (!isBeyondLimit({ ...budget, planned })) return new Map();
  const { ownedAtStart, used, maxRevocations } = budget;
  const detail =
    `${used + planned} of ${ownedAtStart} edges, clients and memberships would lose access within ${Math.round(maxRevocations.windowMs / 1000)} s ` +
    `only because they are missing from a read; the limit is ${revocationLimit(budget)}. ` +
    'If these removals are correct, approve them; if not, correct the identity provider';
  return all(guarded, { do: 'hold', reason: 'RevocationLimit', detail });
};
