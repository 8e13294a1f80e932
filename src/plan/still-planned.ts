import { sameAccess } from './access.js';
import type { Change, Plan } from './plan.js';

/**
 * Whether recorded changes are still what a plan made now would make: nothing that widens is withdrawn or made
 * otherwise, and nothing more is to be closed. What only narrows is written whatever was learnt of clients. `planned`
 * is the plan that the changes were taken from: what it holds is not closed anew.
 */
export function isStillPlanned(changes: readonly Change[], planned: Plan, fresh: Plan): boolean {
  const now = new Map(fresh.changes.map((change) => [change.subject, change]));
  const isWithdrawn = (change: Change) => change.widens && !isSame(now.get(change.subject), change);
  if (changes.some(isWithdrawn)) return false;
  const known = new Set([
    ...changes.flatMap(({ subject, narrows }) => (narrows ? [subject] : [])),
    ...planned.holds.flatMap(({ subject, action }) => (action === 'grant' ? [] : [subject])),
  ]);
  return fresh.changes.every(({ subject, narrows }) => !narrows || known.has(subject));
}

function isSame(a: Change | undefined, b: Change): boolean {
  return (
    a !== undefined &&
    sameAccess(a.after, b.after) &&
    a.description === b.description &&
    a.opensBy.join() === b.opensBy.join()
  );
}
