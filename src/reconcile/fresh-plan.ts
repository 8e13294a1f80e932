import { grantReasonOf } from '../apply/decision-drafts.js';
import type { Clock } from '../clock.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import type { DestinationInput } from '../plan/destination-input.js';
import { type GoneEdge, goneEdges } from '../plan/gone-edges.js';
import { quarantinedIn } from '../plan/holds.js';
import type { Change, Plan } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { isStillPlanned } from '../plan/still-planned.js';
import { serviceText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { readEntry, readWildcard } from '../read/read-entry.js';
import { inputOf } from '../state/fleet.js';
import type { WorldState } from '../state/world-state.js';
import type { DestinationDeps } from './deps.js';
import { refreshJwtProviders } from './jwt-waiting.js';
import type { KnownDestination } from './read-destination.js';

interface Known {
  readonly world: WorldState;
  readonly clock: Pick<Clock, 'now'>;
}

/** What a destination's plan is made from. */
export interface PlanBasis extends Pick<KnownDestination, 'record' | 'entry' | 'isFresh'> {
  readonly destination: ServiceName;
  /** Whether edges that are gone may be noted now. */
  readonly seesGone: boolean;
  /** Nothing is recorded yet: the run may end, and Consul may be asked while the drafts are recorded. */
  readonly isFirst: boolean;
  /** What Consul has, if the plan is made again from it. */
  readonly read?: ConsulNow | undefined;
  /** With all triggers so far: a plan must know the cause of every change that it sees. */
  readonly job: () => Job;
}

/** The entries that a plan follows from. */
interface ConsulNow extends Pick<DestinationInput, 'entry' | 'wildcard'> {
  /** Whether they are those of the plan. */
  readonly isAsKnown: boolean;
}

/** A plan before the guards, and what it was made from. */
export interface FreshPlan {
  readonly plan: Plan;
  readonly gone: readonly GoneEdge[];
  readonly input: DestinationInput;
  readonly isFresh: boolean;
  readonly job: Job;
  readonly facts: Facts;
  /** Plan again after so long: reads of clients are under way, and what they find counts with these losses. */
  readonly waitMs?: number;
  /** What Consul has now, on its way: a removal was planned from what is known. Until then only drafts may be recorded. */
  readonly reading?: Promise<ConsulNow>;
}

/** The facts of a plan beside the entry: the same objects until one of them changes. */
interface Facts {
  readonly claimsVersion: number;
  readonly userTokens: unknown;
  readonly wildcard: IntentionEntry | undefined;
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
  const planNow = (): FreshPlan => {
    const from = job();
    const input = {
      ...inputFor(destination, from, record, deps),
      entry,
      ...(read === undefined ? {} : { wildcard: read.wildcard }),
    };
    return {
      plan: planDestination(input),
      gone: seesGone ? goneEdges(input) : [],
      input,
      isFresh: isFresh || read !== undefined,
      job: from,
      facts: factsOf(destination, deps),
    };
  };
  const first = planNow();
  const fresh = (await refreshJwtProviders(first.plan, deps, signal)) ? planNow() : first;
  if (read !== undefined) return fresh;
  const waitMs = isFirst ? waitMsOf(fresh.plan, record, deps) : undefined;
  if (waitMs !== undefined) return { ...fresh, waitMs };
  const isRemoval = fresh.plan.changes.some(({ after }) => after === undefined);
  if (!isRemoval && fresh.gone.length === 0) return fresh;
  const reading = readNow(basis, fresh.input.wildcard, deps, signal);
  // The caller may fail before it waits for this.
  reading.catch(() => {});
  if (isFirst && fresh.gone.length === 0) return { ...fresh, reading };
  const now = await reading;
  if (isUnchanged(fresh, now, job(), deps)) return { ...fresh, isFresh: true };
  return planFresh({ ...basis, read: now }, deps, signal);
}

async function readNow(
  { destination, entry, isFresh }: PlanBasis,
  known: IntentionEntry | undefined,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<ConsulNow> {
  const [entryNow, wildcard] = await Promise.all([
    isFresh ? entry : readEntry(destination, deps, signal),
    readWildcard(destination, deps, signal),
  ]);
  const isAsKnown = isSameEntry(entryNow, entry) && isSameEntry(wildcard, known);
  return { entry: entryNow, wildcard, isAsKnown };
}

/** Whether a plan stays as it is, by what Consul has now, by the triggers so far and by the facts of now. */
export function isUnchanged(
  { input, job, facts }: FreshPlan,
  { isAsKnown }: ConsulNow,
  jobNow: Job,
  deps: Known,
): boolean {
  return isAsKnown && jobNow === job && isSame(factsOf(input.destination, deps), facts);
}

/** Whether a part of a plan may still be written: what it follows from is the same, or the plan of now agrees. */
export function isPlannedNow(
  part: readonly Change[],
  { plan, input, facts, job }: FreshPlan,
  record: KeyRecord,
  deps: Known,
): boolean {
  const { destination, entry } = input;
  const factsNow = factsOf(destination, deps);
  if (isSame(factsNow, facts)) return true;
  const known = { ...record, lastApplied: deps.world.records.of(formatKey(plan.key)) };
  // The plan may know a newer one than the watch has shown.
  const wildcard = factsNow.wildcard === facts.wildcard ? input.wildcard : factsNow.wildcard;
  const now = { ...inputFor(destination, job, known, deps), entry, wildcard };
  return isStillPlanned(part, plan, planDestination(now));
}

/** The input of a destination's plan now, with the evidence of the job's triggers. */
function inputFor(
  destination: ServiceName,
  job: Job,
  { lastApplied, holds }: Pick<KeyRecord, 'lastApplied' | 'holds'>,
  { world, clock }: Known,
): DestinationInput {
  return inputOf(world, destination, clock.now(), {
    evidence: job.triggers.flatMap((trigger) => trigger.evidence ?? []),
    grantReason: grantReasonOf(job),
    lastApplied,
    quarantined: quarantinedIn(holds.values()),
  });
}

function factsOf(destination: ServiceName, { world }: Pick<Known, 'world'>): Facts {
  const wildcard = world.entries.get(serviceText({ ...destination, name: '*' }));
  return { claimsVersion: world.claimsVersion, userTokens: world.userTokens.facts, wildcard };
}

function isSame(a: Facts, b: Facts): boolean {
  return a.claimsVersion === b.claimsVersion && a.userTokens === b.userTokens && a.wildcard === b.wildcard;
}

/** What is held already waits for a person, and not for reads. */
function waitMsOf(
  { key, changes }: Plan,
  { holds }: KeyRecord,
  { clientReads, clock }: Pick<DestinationDeps, 'clientReads' | 'clock'>,
): number | undefined {
  const held = new Set(
    [...holds.values()].flatMap(({ subject, reason }) => (reason === 'RevocationLimit' ? subject : [])),
  );
  const narrowing = changes.filter(({ subject, narrows }) => narrows && !held.has(subject));
  const isInferred = narrowing.length > 0 && narrowing.every((change) => change.isInferred);
  return isInferred ? clientReads.waitMs(formatKey(key), clock.now()) : undefined;
}

/** By Consul's index. After a write of our own it is unknown until the watch shows it. */
function isSameEntry(a: IntentionEntry | undefined, b: IntentionEntry | undefined): boolean {
  return a === b || (a !== undefined && a.modifyIndex !== 0 && a.modifyIndex === b?.modifyIndex);
}
