import { sameAccess } from './access.js';
import type { Change, Plan } from './plan.js';

/**
 * Whether recorded changes still agree with a new plan: no widening change is withdrawn or different, no source that is
 * removed must stay with less access, and nothing else must be closed. Other narrowing changes are written in any case. `planned` is the plan of the recorded changes; what it holds does
 * not count as newly closed.
 */
export function isStillPlanned(changes: readonly Change[], planned: Plan, fresh: Plan): boolean {
  const now = new Map(fresh.changes.map((change) => [change.subject, change]));
  const isWithdrawn = (change: Change) => change.widens && !isSame(now.get(change.subject), change);
  if (changes.some(isWithdrawn)) return false;
  // Without its source, a wider intention would let it in.
  const isDeniedNow = ({ subject, before, after }: Change) => {
    const fresh = now.get(subject);
    return after === undefined && (fresh === undefined ? before?.kind === 'deny' : fresh.after !== undefined);
  };
  if (changes.some(isDeniedNow)) return false;
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
