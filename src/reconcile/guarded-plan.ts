import { grantReasonOf } from '../apply/decision-drafts.js';
import { sourcesAfter } from '../apply/entry-sources.js';
import { steadyClock } from '../clock.js';
import type { ServiceName } from '../model/intention.js';
import { formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { type GoneEdge, goneEdges } from '../plan/gone-edges.js';
import { guardableEdges } from '../plan/guards/edges.js';
import { guard } from '../plan/guards/guards.js';
import { openingReasons } from '../plan/holds.js';
import type { Hold, Plan } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { readEntryNow } from '../read/read-entry.js';
import { type EntryNow, hasSameFacts, isSameNow, planByState, type StatePlan } from '../state/state-plan.js';
import type { DestinationDeps } from './deps.js';
import { guardFacts } from './guard-facts.js';
import { refreshJwtProviders } from './jwt-waiting.js';

/** What a destination's plan is made from. */
export interface PlanBasis {
  readonly destination: ServiceName;
  readonly record: KeyRecord;
  readonly from: EntryNow;
  /** Whether edges that are gone may be noted now. */
  readonly seesGone: boolean;
  /** Nothing is recorded yet: the run may end, and Consul may be asked while the drafts are recorded. */
  readonly isFirst: boolean;
  /** With all triggers so far: a plan must know the cause of every change that it sees. */
  readonly job: () => Job;
}

/** A plan after the guards, and what it was made from. */
export interface GuardedPlan extends StatePlan {
  /** The holds that an approval ends. */
  readonly used: readonly Hold[];
  readonly gone: readonly GoneEdge[];
  readonly job: Job;
  /** Plan again after so long: reads of clients are under way, and what they find counts with these losses. */
  readonly waitMs?: number;
  /** What Consul has now, on its way: a removal was planned from what is known. Until then only drafts may be recorded. */
  readonly reading?: Promise<EntryNow>;
}

/**
 * The plan of one destination after the guards, by what is known. A removal asks Consul: the watch may not have shown a
 * wildcard entry that takes effect instead, which no compare-and-set of this entry covers, and Consul answers the deletion of
 * an entry that is gone as it answers another. Drafts may be recorded meanwhile. Whatever else would be recorded or counted
 * waits for the answer, and is planned again from it if something differs.
 */
export async function planGuarded(
  basis: PlanBasis,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<GuardedPlan> {
  const { destination, isFirst, record, job } = basis;
  const made = await plan(basis, deps, signal);
  const waitMs = isFirst ? waitMsOf(made.unguarded, record, deps) : undefined;
  if (waitMs !== undefined) return { ...made, waitMs };
  const isRemoval = made.unguarded.changes.some(({ after }) => after === undefined);
  if (!isRemoval && made.gone.length === 0) return guarded(made, basis, deps);
  const reading = readEntryNow(destination, deps, signal);
  // The caller may fail before it waits for this.
  reading.catch(() => {});
  const first = await guarded(made, basis, deps);
  const { changes, holds, records } = first.plan;
  const hasHolds = holds.length > 0 || record.holds.size > 0;
  const isCounted = changes.some(({ isInferred }) => isInferred);
  const isTold = hasHolds || records !== undefined || isCounted || made.gone.length > 0;
  if (isFirst && !isTold) return { ...first, reading };
  const from = await reading;
  const isSame = isSameNow(from, first.from) && job() === first.job;
  if (isSame && hasSameFacts(first, deps.world, deps.clock.now())) return first;
  const again = { ...basis, from };
  return guarded(await plan(again, deps, signal), again, deps);
}

type Unguarded = Omit<GuardedPlan, 'waitMs' | 'reading'>;

async function plan(
  { destination, record, from, seesGone, job }: PlanBasis,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<Unguarded> {
  const { world, clock } = deps;
  const planNow = (): Unguarded => {
    const informed = job();
    const given = {
      evidence: informed.triggers.flatMap((trigger) => trigger.evidence ?? []),
      grantReason: grantReasonOf(informed),
      lastApplied: record.lastApplied,
      openingReasons: openingReasons(record.holds.values()),
    };
    const made = planByState(world, destination, from, given, clock.now());
    return { ...made, used: [], gone: seesGone ? goneEdges(made.input) : [], job: informed };
  };
  const made = planNow();
  return (await refreshJwtProviders(made.plan, deps, signal)) ? planNow() : made;
}

async function guarded(made: Unguarded, { record }: PlanBasis, deps: DestinationDeps): Promise<Unguarded> {
  const { destination, entry, mapping } = made.input;
  const kind = guardableEdges(
    made.unguarded,
    (changes) =>
      deps.consul.intentions.sizeOf(
        destination,
        entry,
        sourcesAfter(entry?.sources ?? [], changes, mapping.owner),
      ),
    deps.markHolds.room(serviceText(destination), deps.clock.now()),
  );
  const facts = await guardFacts(kind.losses, record.holds, deps, made.job.triggers);
  const { changes, holds, used, rejections } = guard(kind, facts);
  deps.window.rejections.put(formatKey(made.plan.key), rejections);
  return { ...made, plan: { ...made.unguarded, changes, holds }, used };
}

/**
 * A plan whose narrowing is only inferred waits for the reads of clients that have begun: the losses that one poll finds
 * become known one client after the other, and count as a whole. What is held already waits for a person, and not for reads.
 */
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
