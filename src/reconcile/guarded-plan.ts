import { grantReasonOf } from '../apply/decision-drafts.js';
import { sourcesAfter } from '../apply/entry-sources.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import type { DestinationInput } from '../plan/destination-input.js';
import { guardableEdges } from '../plan/guards/edges.js';
import { guard } from '../plan/guards/guards.js';
import { quarantinedIn } from '../plan/holds.js';
import type { Hold, Plan } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import type { KeyRecord } from '../queue/journal.js';
import { inputOf } from '../state/fleet.js';
import type { ReconcilerDeps } from './deps.js';
import { guardFacts } from './guard-facts.js';
import { refreshJwtProviders } from './jwt-waiting.js';

/** The input of a destination's plan now, with the evidence of the job's triggers. */
export function inputFor(
  destination: ServiceName,
  job: Job,
  { lastApplied, holds }: Pick<KeyRecord, 'lastApplied' | 'holds'>,
  { world, clock }: Pick<ReconcilerDeps, 'world' | 'clock'>,
): DestinationInput {
  return inputOf(world, destination, clock.now(), {
    evidence: job.triggers.flatMap((trigger) => trigger.evidence ?? []),
    grantReason: grantReasonOf(job),
    lastApplied,
    quarantined: quarantinedIn(holds.values()),
  });
}

/** What a destination is planned from beside the state. */
export interface Known {
  readonly entry: IntentionEntry | undefined;
  /** Whether the entry was read in this run, and not shown by the watch. */
  readonly isFresh: boolean;
  /** The wildcard entry, if it was read for this plan. */
  readonly wildcard?: { readonly entry: IntentionEntry | undefined };
}

/** The guarded plan of one destination, and the holds that an approval ends; or what must be read before it can be made. */
export type Guarded =
  | { readonly kind: 'plan'; readonly plan: Plan; readonly used: readonly Hold[] }
  | { readonly kind: 'reads'; readonly known: Promise<Known> };

export async function planGuarded(
  destination: ServiceName,
  known: Known,
  job: Job,
  record: KeyRecord,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<Guarded> {
  const { world, window } = deps;
  const { entry, isFresh, wildcard } = known;
  const inputNow = (): DestinationInput => {
    const input = { ...inputFor(destination, job, record, deps), entry };
    return wildcard === undefined ? input : { ...input, wildcard: wildcard.entry };
  };
  let unguarded = planDestination(inputNow());
  if (await refreshJwtProviders(unguarded, deps, signal)) unguarded = planDestination(inputNow());
  // A removal needs a fresh entry and wildcard: a source that the watch has not shown yet could take effect instead.
  const removes = unguarded.changes.some(({ after }) => after === undefined);
  // After a write of our own the index is unknown until the watch shows it.
  const isIndexUnknown = entry?.modifyIndex === 0 && unguarded.changes.length > 0;
  if ((removes && !(isFresh && wildcard !== undefined)) || (isIndexUnknown && !isFresh))
    return { kind: 'reads', known: readFresh(destination, known, removes, deps, signal) };
  const { owner } = world.mapping;
  const kind = guardableEdges(unguarded, (changes) =>
    deps.consul.intentions.sizeOf(destination, entry, sourcesAfter(entry?.sources ?? [], changes, owner)),
  );
  const { changes, holds, used, rejections } = guard(kind, await guardFacts(kind.losses, record.holds, deps));
  window.rejections.put(formatKey(unguarded.key), rejections);
  return { kind: 'plan', plan: { ...unguarded, changes, holds }, used };
}

/** One read waits for no other. */
async function readFresh(
  destination: ServiceName,
  { entry: known, isFresh }: Known,
  withWildcard: boolean,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<Known> {
  const [entry, wildcard] = await Promise.all([
    isFresh ? known : readEntry(destination, deps, signal),
    withWildcard ? readWildcard(destination, deps, signal) : undefined,
  ]);
  return { entry, isFresh: true, ...(withWildcard ? { wildcard: { entry: wildcard } } : {}) };
}

/** Reads the entry into the state. */
export async function readEntry(
  destination: ServiceName,
  { world, consul }: ReconcilerDeps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  const read = world.beginRead();
  const entry = await consul.intentions.read(destination, signal);
  world.putEntry(destination, entry, read);
  return entry;
}

/** Not put into the world: the watch must still see the change, for all destinations. */
function readWildcard(
  destination: ServiceName,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  return deps.consul.intentions.read({ ...destination, name: '*' }, signal);
}
