import { grantReasonOf } from '../apply/decision-drafts.js';
import { steadyClock } from '../clock.js';
import type { ServiceName } from '../model/intention.js';
import { formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { type GoneEdge, goneEdges } from '../plan/gone-edges.js';
import { openingReasons } from '../plan/holds.js';
import type { Plan } from '../plan/plan.js';
import type { KeyRecord } from '../queue/journal.js';
import { type EntryNow, readEntryNow } from '../read/read-entry.js';
import { hasSameFacts, isPlannedAgain, planByState, type StatePlan } from '../state/state-plan.js';
import type { DestinationDeps } from './deps.js';
import { refreshJwtProviders } from './jwt-waiting.js';
import type { KnownDestination } from './read-destination.js';

/** What a destination's plan is made from. */
export interface PlanBasis extends Pick<KnownDestination, 'record' | 'entry' | 'isFresh'> {
  readonly destination: ServiceName;
  /** Whether edges that are gone may be noted now. */
  readonly seesGone: boolean;
  /** Nothing is recorded yet: the run may end, and Consul may be asked while the drafts are recorded. */
  readonly isFirst: boolean;
  /** What Consul has, if the plan is made again from it. */
  readonly read?: EntryNow | undefined;
  /** With all triggers so far: a plan must know the cause of every change that it sees. */
  readonly job: () => Job;
}

/** A plan before the guards, and what it was made from. */
export interface FreshPlan extends StatePlan {
  /** The plan, whatever the guards make of it. */
  readonly unguarded: Plan;
  readonly gone: readonly GoneEdge[];
  readonly isFresh: boolean;
  readonly job: Job;
  /** Plan again after so long: reads of clients are under way, and what they find counts with these losses. */
  readonly waitMs?: number;
  /** What Consul has now, on its way: a removal was planned from what is known. Until then only drafts may be recorded. */
  readonly reading?: Promise<EntryNow>;
}

/**
 * The plan by what is known, if it removes nothing. A removal follows from what Consul has now: the watch may not have
 * shown a source, or a wildcard entry, that takes effect instead. Both are read at once, and the plan is made again only if
 * something differs. The first plan of a run does not wait for them. A plan whose narrowing is only inferred waits for the
 * reads of clients that have begun: the losses that one poll finds become known one client after the other, and count as a
 * whole.
 */
export async function planFresh(
  basis: PlanBasis,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<FreshPlan> {
  const { destination, isFresh, record, seesGone, isFirst, read, job } = basis;
  const { entry } = read ?? basis;
  const { world, clock } = deps;
  const planNow = (): FreshPlan => {
    const from = job();
    const given = {
      evidence: from.triggers.flatMap((trigger) => trigger.evidence ?? []),
      grantReason: grantReasonOf(from),
      lastApplied: record.lastApplied,
      openingReasons: openingReasons(record.holds.values()),
      entry,
      ...(read === undefined ? {} : { wildcard: read.wildcard }),
    };
    const made = planByState(world, destination, given, clock.now());
    const gone = seesGone ? goneEdges(made.input) : [];
    return { ...made, unguarded: made.plan, gone, isFresh: isFresh || read !== undefined, job: from };
  };
  const first = planNow();
  const fresh = (await refreshJwtProviders(first.plan, deps, signal)) ? planNow() : first;
  if (read !== undefined) return fresh;
  const waitMs = isFirst ? waitMsOf(fresh.plan, record, deps) : undefined;
  if (waitMs !== undefined) return { ...fresh, waitMs };
  const isRemoval = fresh.plan.changes.some(({ after }) => after === undefined);
  if (!isRemoval && fresh.gone.length === 0) return fresh;
  const known = { entry, wildcard: fresh.input.wildcard, isFresh };
  const reading = readEntryNow(destination, known, deps, signal);
  // The caller may fail before it waits for this.
  reading.catch(() => {});
  if (isFirst && fresh.gone.length === 0) return { ...fresh, reading };
  const now = await reading;
  if (isUnchanged(fresh, now, basis, deps)) return { ...fresh, isFresh: true };
  return planFresh({ ...basis, read: now }, deps, signal);
}

/** Whether a plan stays as it is, with its guards: by what Consul has now, by the triggers so far and by the facts of now. */
export function isUnchanged(
  fresh: FreshPlan,
  now: EntryNow,
  { job }: Pick<PlanBasis, 'job'>,
  { world }: Pick<DestinationDeps, 'world'>,
): boolean {
  return now.isAsKnown && job() === fresh.job && hasSameFacts(fresh, world);
}

/** The same of a plan of which only drafts are recorded: with it nothing is gone, held or counted. False if the read fails. */
export async function isConfirmed(
  { reading, ...fresh }: FreshPlan,
  { job }: Pick<PlanBasis, 'job'>,
  { world, clock }: Pick<DestinationDeps, 'world' | 'clock'>,
): Promise<boolean> {
  if (reading === undefined) return true;
  const now = await reading.catch(() => undefined);
  if (now?.isAsKnown !== true || job() !== fresh.job) return false;
  return isPlannedAgain(fresh, fresh.unguarded, world, clock.now());
}

/** What is held already waits for a person, and not for reads. */
function waitMsOf(
  { key, changes }: Plan,
  { holds }: KeyRecord,
  { clientReads, clock }: Pick<DestinationDeps, 'clientReads' | 'clock'>,
): number | undefined {
  const limited = [...holds.values()].filter(({ reason }) => reason === 'RevocationLimit');
  const held = new Set(limited.map(({ subject }) => subject));
  const narrowing = changes.filter(({ subject, narrows }) => narrows && !held.has(subject));
  const isInferred = narrowing.length > 0 && narrowing.every((change) => change.isInferred);
  return isInferred ? clientReads.waitMs(formatKey(key), steadyClock(clock).now()) : undefined;
}
