import type { Consul } from '../consul/consul.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { WorldState } from '../state/world-state.js';

interface Deps {
  readonly consul: Pick<Consul, 'intentions'>;
  readonly world: WorldState;
}

/** Reads the entry of one destination into the world. */
export async function readEntry(
  destination: ServiceName,
  { world, consul }: Deps,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  const read = world.beginRead();
  const entry = await consul.intentions.read(destination, signal);
  world.putEntry(destination, entry, read);
  return entry;
}

/**
 * Reads the entry of a destination's wildcard. It is not put into the world: the watch must still see the change, for all
 * destinations.
 */
export function readWildcard(
  destination: ServiceName,
  { consul }: Pick<Deps, 'consul'>,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  return consul.intentions.read({ ...destination, name: '*' }, signal);
}
