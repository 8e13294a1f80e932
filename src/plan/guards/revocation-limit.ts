import { all, type LossGuard, NONE, type RevocationBudget } from './guard.js';

/** How many inferred removals may be made within one window. */
export function revocationLimit({
  maxRevocations,
  ownedAtStart,
}: Pick<RevocationBudget, 'maxRevocations' | 'ownedAtStart'>): number {
  return Math.max(maxRevocations.atLeast, Math.floor((maxRevocations.percent / 100) * ownedAtStart));
}

/**
 * How many of these removals one destination may have: half of the limit. A person who controls a destination can write
 * sources that look like ours, and must not use up the limit for all others.
 */
export function destinationShare(limit: number): number {
  return Math.min(limit, Math.max(1, Math.floor(limit / 2)));
}

/**
 * Whether the planned removals exceed the limit of one window: the rule of the limit. The guard below asks it, and so does
 * the closure of a client by an unconfirmed order, which is no change of a key's plan.
 */
export function isBeyondLimit(budget: RevocationBudget): boolean {
  return budget.used + budget.planned > revocationLimit(budget);
}

/**
 * The mass guard: if the inferred losses of the fleet exceed the limit, it holds every such loss that nobody approved,
 * and nothing else. A removal that the identity provider itself reported is not counted and always passes.
 */
export const revocationLimitGuard: LossGuard = ({ losses }, { budget }) => {
  const guarded = losses.filter(({ approvedBy }) => approvedBy === undefined);
  if (guarded.length === 0 || budget === undefined) return NONE;
  const { ownedAtStart, used, here, maxRevocations, lost = 0 } = budget;
  const limit = revocationLimit(budget);
  const share = destinationShare(limit);
  const atHere = here === undefined ? 0 : here.used + Math.max(here.planned, guarded.length);
  const planned = Math.max(budget.planned, guarded.length);
  if (atHere <= share && !isBeyondLimit({ ...budget, planned })) return NONE;
  const isBeyond = atHere <= share || isBeyondLimit(budget);
  // The same text for all that one cause holds, so that a report has one number.
  const what = isBeyond
    ? `${Math.max(lost, used + planned)} of ${ownedAtStart} edges, clients and memberships would lose access`
    : `more than ${share} edges of one destination would lose access`;
  const most = isBeyond
    ? `the limit is ${limit}`
    : `one destination may use ${share} of the limit of ${limit}`;
  const detail =
    `${what} within ${Math.round(maxRevocations.windowMs / 1000)} s only because they are missing from a read; ${most}. ` +
    'If these removals are correct, approve them; if not, correct the identity provider';
  return all(guarded, { do: 'hold', reason: 'RevocationLimit', detail });
};
