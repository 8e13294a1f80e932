import { intersection } from '../access.js';
import { type Change, type Plan, toHold } from '../plan.js';
import type { Loss } from './guard.js';
import type { Guardable } from './guards.js';

/**
 * The plan of one destination, as guards see it. `markRoom`: so many edges may close because of their marks alone. Everybody
 * who writes the entry can make such marks without end, so the others wait as edges without a record.
 */
export function guardableEdges(
  plan: Plan,
  sizeAfter?: (changes: readonly Change[]) => number,
  markRoom = Number.POSITIVE_INFINITY,
): Guardable<Change, Plan> {
  let byMark = 0;
  return {
    plan,
    losses: plan.changes.flatMap((change): Loss | readonly [] => {
      const { subject, isInferred, breakGlass } = change;
      const isUnrecorded =
        change.isUnrecorded === true || (breakGlass?.isByMark === true && ++byMark > markRoom);
      if (isUnrecorded) return { subject, hold: toHold(change, 'MarkUnrecorded', 'approved'), isUnrecorded };
      return isInferred ? { subject, hold: toHold(change, 'RevocationLimit', 'approved') } : [];
    }),
    keeping: (kept) => ({ ...plan, changes: plan.changes.filter(({ subject }) => !kept.has(subject)) }),
    approved: (change, approvals) => {
      const approvedBy = approvals.get(change.subject);
      return approvedBy === undefined ? change : { ...change, approvedBy };
    },
    toHold,
    narrowing: narrowingOf,
    opensLast: true,
    contendedText:
      'another writer repeatedly reverts this change; find out what writes this entry (consul-k8s, Terraform, a script) and keep only one writer',
    ...(sizeAfter === undefined ? {} : { sizeAfter }),
  };
}

/** A change that narrows and widens becomes the intersection of both; content that cannot be compared is closed. */
function narrowingOf(change: Change, isFrozen: boolean): Change | undefined {
  if (!change.narrows || !change.widens) return undefined;
  const { before, after } = change;
  const both = before?.kind === 'other' ? undefined : intersection(before, after);
  return {
    ...change,
    action: 'revoke',
    // Never removed, because a wider intention could open more.
    after: both ?? { kind: 'deny' },
    ...(isFrozen ? {} : { remembered: after }),
    widens: false,
  };
}
