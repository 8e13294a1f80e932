import { withdraw } from '../apply/journaled-write.js';
import { writePlan } from '../apply/write-plan.js';
import type { Cause } from '../model/cause.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey, formatKey, type Key } from '../model/key.js';
import type { Change } from '../plan/plan.js';
import { planAdoption } from '../plan/plan-adoption.js';
import { inputOf } from '../state/fleet.js';
import type { WorldState } from '../state/world-state.js';
import type { AdoptionDeps } from './deps.js';

/** The sources that can be adopted at one destination. */
export interface Adoption {
  readonly key: Key;
  readonly changes: readonly Change[];
}

/** Every destination with an unmarked source that equals the desired one. */
export function planAdoptions(world: WorldState, now: number): readonly Adoption[] {
  return world.destinations(now).flatMap((destination) => {
    const changes = planAdoption(inputOf(world, destination, now));
    const { name, namespace, partition } = destination;
    return changes.length === 0 ? [] : [{ key: destinationKey(name, namespace, partition), changes }];
  });
}

/**
 * Writes the marks at one destination, by compare-and-set against a fresh read. A source that no longer equals the desired
 * one, or is not among `subjects`, is left unchanged. Resolves with the number of marks.
 */
export async function adopt(
  destination: ServiceName,
  cause: Cause,
  deps: AdoptionDeps,
  signal: AbortSignal,
  subjects: ReadonlySet<string>,
): Promise<number> {
  const { world } = deps;
  const { mapping } = world;
  const key = destinationKey(destination.name, destination.namespace, destination.partition);
  const text = formatKey(key);
  const read = deps.world.beginRead();
  const [record, entry] = await Promise.all([
    deps.journal.read(text),
    deps.consul.intentions.read(destination, signal),
  ]);
  deps.world.putEntry(destination, entry, read);
  const input = { ...inputOf(deps.world, destination, deps.clock.now()), entry };
  const changes = planAdoption(input).filter(({ subject }) => subjects.has(subject));
  const write = {
    key: text,
    destination,
    entry,
    changes,
    replaced: [],
    overtaken: [],
    baseOf: async (_: unknown, isLost: boolean) =>
      !isLost && world.mapping === mapping ? { base: entry } : undefined,
  };
  world.rememberWritten(text, new Map([...world.records.of(text), ...record.lastApplied]));
  const end = await writePlan(write, () => cause, deps, signal);
  // No plan follows whose record would replace these drafts.
  if (end.kind === 'stale') await withdraw(text, end.replaced, deps);
  return end.kind === 'done' ? changes.length : 0;
}
