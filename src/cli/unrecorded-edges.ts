import type { Change, Hold } from '../plan/plan.js';
import type { Cli } from './cli.js';
import type { CurrentState } from './load-current-state.js';
import { findKnownHolds, type KnownHolds } from './recorded-holds.js';

const RECORDS_UNKNOWN =
  'neither the daemon nor the decision log says which sources scopemesh wrote: every source with its mark counts as owned here';

/**
 * The records of what scopemesh wrote are in the store, which belongs to the daemon. Its recorded holds name the marked
 * edges without a record; the world takes them over. True if the plan is another one then. Asks only if `touching` is not
 * empty, because the decision log may be long.
 */
export async function learnUnrecorded(
  { config, daemon, world }: Pick<CurrentState, 'config' | 'daemon' | 'world'>,
  touching: readonly { readonly before?: unknown }[],
  cli: Cli,
): Promise<boolean> {
  if (touching.every(({ before }) => before === undefined)) return false;
  const known = await findKnownHolds(config, daemon, cli);
  if (known === undefined) cli.screen.warn(RECORDS_UNKNOWN);
  const subjects = unrecordedIn(known ?? new Map());
  if (subjects.size > 0) world.setUnrecorded(subjects);
  return subjects.size > 0;
}

/** What a plan would do to marked edges. The mass guard holds removals of edges that it takes for owned. */
export function touchingMarked(plan: {
  readonly changes: readonly Change[];
  readonly holds: readonly Hold[];
}): readonly (Change | Hold)[] {
  return [...plan.changes, ...plan.holds.filter(({ reason }) => reason === 'RevocationLimit')];
}

function unrecordedIn(known: KnownHolds): ReadonlySet<string> {
  return new Set(
    [...known].flatMap(([key, { reason }]) =>
      reason === 'MarkUnrecorded' ? [key.slice(0, -` ${reason}`.length)] : [],
    ),
  );
}
