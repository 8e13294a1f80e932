import type { Consul } from '../consul/consul.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { serviceText } from '../plan/world.js';
import { type EntryNow, knownNow } from '../state/state-plan.js';
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
 * Reads the entry of a destination and its wildcard entry at once. The wildcard entry is not put into the world: the watch
 * must still see the change, for all destinations. If the watch shows another meanwhile, the newer of both counts, and in
 * doubt the one that exists.
 */
export async function readEntryNow(
  destination: ServiceName,
  deps: Deps,
  signal: AbortSignal,
): Promise<EntryNow> {
  const { shown } = knownNow(deps.world, destination, undefined);
  const [entry, wildcard] = await Promise.all([
    readEntry(destination, deps, signal),
    deps.consul.intentions.read({ ...destination, name: '*' }, signal),
  ]);
  const now = knownNow(deps.world, destination, entry);
  return now.shown !== shown && isNewer(now.shown, wildcard) ? now : { ...now, wildcard };
}

/** By Consul's index, which is unknown after a write of our own. */
function isNewer(shown: IntentionEntry | undefined, read: IntentionEntry | undefined): boolean {
  if (shown === undefined || read === undefined) return read === undefined;
  return shown.modifyIndex === 0 || shown.modifyIndex > read.modifyIndex;
}
