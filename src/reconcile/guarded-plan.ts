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

/** The guarded plan of one destination, and the holds that an approval ends. */
export async function planGuarded(
  destination: ServiceName,
  entry: IntentionEntry | undefined,
  job: Job,
  record: KeyRecord,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<{ readonly plan: Plan; readonly used: readonly Hold[] }> {
  const { world, window } = deps;
  const inputNow = () => ({ ...inputFor(destination, job, record, deps), entry });
  let input = inputNow();
  let first = planDestination(input);
  if (await refreshJwtProviders(first, deps, signal)) {
    input = inputNow();
    first = planDestination(input);
  }
  // A removal needs a fresh wildcard entry: the watch may not have shown one that takes effect instead.
  const unguarded = first.changes.some((change) => change.after === undefined)
    ? planDestination({ ...input, wildcard: await readWildcard(destination, deps, signal) })
    : first;
  const { owner } = world.mapping;
  const kind = guardableEdges(unguarded, (changes) =>
    deps.consul.intentions.sizeOf(destination, entry, sourcesAfter(entry?.sources ?? [], changes, owner)),
  );
  const { changes, holds, used, rejections } = guard(kind, await guardFacts(kind.losses, record.holds, deps));
  window.rejections.put(formatKey(unguarded.key), rejections);
  return { plan: { ...unguarded, changes, holds }, used };
}

/** Not put into the world: the watch must still see the change, for all destinations. */
function readWildcard(
  destination: ServiceName,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  return deps.consul.intentions.read({ ...destination, name: '*' }, signal);
}
