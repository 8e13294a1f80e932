import type { Clock } from '../clock.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey, formatKey } from '../model/key.js';
import { planDestination } from '../plan/plan-destination.js';
import type { Journal } from '../queue/journal.js';
import { inputOf } from '../state/fleet.js';
import type { WorldState } from '../state/world-state.js';

/**
 * Notes in memory the records of all marked edges that equal the desired ones, and returns their destinations. Call it in
 * the turn in which a directory became known: a later change at the provider then finds these edges owned, although their
 * records were lost with the store. The jobs of the destinations store the records. The blocks of clients do not count here:
 * what a blocked client has open is scopemesh's too, and only with a record its job closes it.
 */
export function noteRecords(world: WorldState, now: number): readonly ServiceName[] {
  if (world.owned.unrecorded === 0) return [];
  return world.destinations(now).filter((destination) => {
    const input = inputOf(world, destination, now);
    const unblocked = { ...input, world: { ...input.world, clientBlocks: new Map() } };
    const { records } = planDestination(unblocked);
    if (records === undefined) return false;
    const key = keyOf(destination);
    world.rememberWritten(key, new Map([...world.records.of(key), ...records]));
    return true;
  });
}

interface Deps {
  readonly journal: Pick<Journal, 'read' | 'settle'>;
  readonly world: WorldState;
}

/** Stores the records of a key that are in memory only. */
export async function storeRecords(key: string, { journal, world }: Deps): Promise<void> {
  const { lastApplied: stored } = await journal.read(key);
  const known = world.records.of(key);
  const missing = [...known].filter(([subject, text]) => stored.get(subject) !== text);
  if (missing.length > 0) await journal.settle(key, [], { lastApplied: new Map(missing) });
}

/** For a command that has no jobs: notes the records, and stores them. */
export async function recordEqualEdges(deps: Deps & { readonly clock: Pick<Clock, 'now'> }): Promise<void> {
  for (const destination of noteRecords(deps.world, deps.clock.now()))
    await storeRecords(keyOf(destination), deps);
}

function keyOf({ name, namespace, partition }: ServiceName): string {
  return formatKey(destinationKey(name, namespace, partition));
}
