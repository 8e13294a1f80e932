import { mapBounded } from '../limiter.js';
import type { ServiceName } from '../model/intention.js';
import { parseKey } from '../model/key.js';
import { isOfWrittenEdge } from '../plan/last-applied.js';
import type { WorldState } from '../state/world-state.js';
import type { ReadDeps } from './deps.js';
import { readEntry } from './read-entry.js';

const CONCURRENCY = 8;

/**
 * Reads each destination that has a recorded edge by itself, and the catalog, while the lists cannot be read. Throws if one of the
 * destinations cannot be read: the claim of a service without instances may be known from that one alone.
 */
export async function readRecorded(
  deps: Pick<ReadDeps, 'consul' | 'world' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const { world, consul, clock } = deps;
  const bounds = { width: CONCURRENCY, signal };
  await mapBounded(recordedDestinations(world), bounds, (each, stop) => readEntry(each, deps, stop));
  world.restoreClaims(clock.now());
  if (world.catalog !== undefined) return;
  const read = world.beginRead();
  const catalog = await consul.readCatalog(signal).catch(() => undefined);
  // Without a catalog orders and denies of people close, and nothing else.
  if (catalog !== undefined) world.putCatalog(catalog, clock.now(), read);
}

function recordedDestinations({ records }: WorldState): readonly ServiceName[] {
  return [...records.keys()].flatMap((text) => {
    const key = parseKey(text);
    if (key?.kind !== 'destination' || ![...records.of(text).values()].some(isOfWrittenEdge)) return [];
    const { partition, namespace, service: name } = key;
    return [{ partition, namespace, name }];
  });
}
