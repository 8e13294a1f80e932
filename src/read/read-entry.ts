import type { Consul } from '../consul/consul.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { serviceText } from '../plan/world.js';
import { NOTHING_TOUCHED } from '../state/touched.js';
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

const FEW_WRITES = 4;

/** Whether own writes come in bulk: the next list shows the index of all of them at once. */
export function isBulk(world: Pick<WorldState, 'unshownWrites'>): boolean {
  return world.unshownWrites() > FEW_WRITES;
}

/**
 * Reads an entry that was just written, unless many are. Its index is unknown until a read shows it, and a revocation that
 * follows soon would have to read it first. `onChanged`: somebody else changed it since.
 */
export async function readBack(
  destination: ServiceName,
  onChanged: () => void,
  { world, consul }: Deps,
  signal: AbortSignal,
): Promise<void> {
  // Never of a manifest, which has an index of its own.
  const known = world.entries.get(serviceText(destination));
  if (known?.modifyIndex !== 0 || isBulk(world)) return;
  const read = world.beginRead();
  // If it fails, the watch shows the entry later.
  const entry = await consul.intentions.read(destination, signal).catch(() => 'unread' as const);
  if (entry !== 'unread' && world.putEntry(destination, entry, read) !== NOTHING_TOUCHED) onChanged();
}

/**
 * Reads the entry of a destination's wildcard. It is not put into the world: the watch must still see the change, for all
 * destinations.
 */
function readWildcard(
  destination: ServiceName,
  { consul }: Pick<Deps, 'consul'>,
  signal: AbortSignal,
): Promise<IntentionEntry | undefined> {
  return consul.intentions.read({ ...destination, name: '*' }, signal);
}

/** What decides about a destination's intentions in Consul. */
export interface EntryNow {
  readonly entry: IntentionEntry | undefined;
  readonly wildcard: IntentionEntry | undefined;
  /** Whether both are as they were known. */
  readonly isAsKnown: boolean;
}

/** Reads both at once. `isFresh`: the known entry was read in this run. */
export async function readEntryNow(
  destination: ServiceName,
  known: Omit<EntryNow, 'isAsKnown'> & { readonly isFresh: boolean },
  deps: Deps,
  signal: AbortSignal,
): Promise<EntryNow> {
  const [entry, wildcard] = await Promise.all([
    known.isFresh ? known.entry : readEntry(destination, deps, signal),
    readWildcard(destination, deps, signal),
  ]);
  const isAsKnown = isSameEntry(entry, known.entry) && isSameEntry(wildcard, known.wildcard);
  return { entry, wildcard, isAsKnown };
}

/** By Consul's index. After a write of our own it is unknown until the watch shows it. */
function isSameEntry(a: IntentionEntry | undefined, b: IntentionEntry | undefined): boolean {
  return a === b || (a !== undefined && a.modifyIndex !== 0 && a.modifyIndex === b?.modifyIndex);
}
