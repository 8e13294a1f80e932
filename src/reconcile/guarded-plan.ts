import { sourcesAfter } from '../apply/entry-sources.js';
import { formatKey } from '../model/key.js';
import { guardableEdges } from '../plan/guards/edges.js';
import { guard } from '../plan/guards/guards.js';
import type { Hold } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import type { DestinationDeps } from './deps.js';
import { type FreshPlan, isUnchanged, type PlanBasis, planFresh } from './fresh-plan.js';
import { guardFacts } from './guard-facts.js';

/** `used`: the holds that an approval ends. */
type GuardedPlan = FreshPlan & { readonly used: readonly Hold[] };

/** The plan of one destination after the guards. */
export async function planGuarded(
  basis: PlanBasis,
  deps: DestinationDeps,
  signal: AbortSignal,
): Promise<GuardedPlan> {
  const { reading, ...guarded } = await planOnce(basis, deps, signal);
  if (reading === undefined) return guarded;
  const { plan } = guarded;
  // Holds begin and end, records are stored, and inferred losses are counted only by what Consul has now.
  const hasHolds = plan.holds.length > 0 || basis.record.holds.size > 0;
  const isInferred = plan.changes.some((change) => change.isInferred);
  if (!hasHolds && plan.records === undefined && !isInferred) return { ...guarded, reading };
  const read = await reading;
  if (isUnchanged(guarded, read, basis, deps)) return { ...guarded, isFresh: true };
  return planOnce({ ...basis, read }, deps, signal);
}

async function planOnce(basis: PlanBasis, deps: DestinationDeps, signal: AbortSignal): Promise<GuardedPlan> {
  const planned = await planFresh(basis, deps, signal);
  if (planned.waitMs !== undefined) return { ...planned, used: [] };
  const { destination, entry, mapping } = planned.input;
  const kind = guardableEdges(
    planned.plan,
    (changes) =>
      deps.consul.intentions.sizeOf(
        destination,
        entry,
        sourcesAfter(entry?.sources ?? [], changes, mapping.owner),
      ),
    deps.markHolds.room(serviceText(destination), deps.clock.now()),
  );
  const facts = await guardFacts(kind.losses, basis.record.holds, deps, planned.job.triggers);
  const { changes, holds, used, rejections } = guard(kind, facts);
  deps.window.rejections.put(formatKey(planned.plan.key), rejections);
  return { ...planned, plan: { ...planned.plan, changes, holds }, used };
}
