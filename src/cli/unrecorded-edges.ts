import type { KnownHold, KnownHolds } from '../app/plan-view.js';
import { systemClock } from '../clock.js';
import { isRecord } from '../model/is-record.js';
import type { Change, Hold } from '../plan/plan.js';
import type { Cli } from './cli.js';
import type { CurrentState } from './load-current-state.js';
import { findKnownHolds } from './recorded-holds.js';

const RECORDS_UNKNOWN =
  'neither the daemon nor the decision log says which sources scopemesh wrote: every source with its mark counts as owned here';

/**
 * The records of what scopemesh wrote, the rulings and the removals of the window are in the store, which belongs to the
 * daemon. Where the daemon does not show the records, its recorded holds name the marked edges without a record, and the inferred removals that it holds; the plan
 * takes them over. True if the plan is another one then. Asks only if `touching` is not empty, because the decision log
 * may be long.
 */
export async function learnUnrecorded(
  sides: Pick<CurrentState, 'config' | 'daemon' | 'world' | 'window'>,
  touching: readonly { readonly before?: unknown }[],
  cli: Cli,
  findHolds = () => findKnownHolds(sides.config, sides.daemon, cli),
): Promise<boolean> {
  if (touching.every(({ before }) => before === undefined)) return false;
  const known = await findHolds();
  const { areKnown } = sides.world.records;
  if (known === undefined && !areKnown) cli.screen.warn(RECORDS_UNKNOWN);
  const subjects = new Set(areKnown ? [] : subjectsOf(known, 'MarkUnrecorded').map(([subject]) => subject));
  if (subjects.size > 0) sides.world.setUnrecorded(subjects);
  const removals = subjectsOf(known, 'RevocationLimit').flatMap(([subject, hold]) =>
    isHeldStill(hold, sides) ? [[subject, hold.detail ?? 'the daemon holds this removal'] as const] : [],
  );
  sides.window.recordedHolds = new Map(removals);
  return subjects.size + removals.length > 0;
}

/** What a plan would do to marked edges. The mass guard holds removals of edges that it takes for owned. */
export function touchingMarked(plan: {
  readonly changes: readonly Change[];
  readonly holds: readonly Hold[];
}): readonly (Change | Hold)[] {
  return [...plan.changes, ...plan.holds.filter(({ reason }) => reason === 'RevocationLimit')];
}

/** A rejection stays. The limit is that of the daemon's mapping, and what the log says of it ends with the window. */
function isHeldStill(
  { rejectedBy, since }: KnownHold,
  { config, daemon, world }: Pick<CurrentState, 'config' | 'daemon' | 'world'>,
): boolean {
  if (rejectedBy !== null) return true;
  if (isRecord(daemon?.status)) return daemon.status.mappingRevision === world.mapping.revision;
  return Date.parse(since) > systemClock.now() - config.guards.maxRevocations.windowMs;
}

function subjectsOf(known: KnownHolds | undefined, of: KnownHold['reason']): readonly [string, KnownHold][] {
  return [...(known ?? [])].flatMap(([key, hold]): [string, KnownHold][] =>
    hold.reason === of ? [[key.slice(0, -` ${of}`.length), hold]] : [],
  );
}
