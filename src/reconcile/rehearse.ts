import type { SyncError } from '../errors.js';
import { planFleet } from '../state/fleet.js';
import type { ReconcilerDeps } from './deps.js';
import { readBothSides } from './read-all.js';
import { restoreRecords } from './restore.js';

/**
 * Does what a new leader does before its first write, and records and writes nothing. `deps` has a world of its own, which
 * the caller drops: the leader's reads are newer, so no decision may come of this one. What stays is what makes the same
 * work fast: the adapters know most of what they will read, and the code is compiled. Throws if Consul or the store cannot
 * be read completely; `onUnread` gets each directory that cannot.
 */
export async function rehearse(
  deps: Pick<
    ReconcilerDeps,
    | 'world'
    | 'acl'
    | 'consul'
    | 'directories'
    | 'clock'
    | 'jwksUris'
    | 'logger'
    | 'keyValues'
    | 'journal'
    | 'window'
  >,
  signal: AbortSignal,
  onUnread: (provider: string, error: SyncError) => void,
): Promise<void> {
  await restoreRecords(deps);
  await readBothSides(deps, signal, onUnread);
  planFleet(deps.world, deps.window, deps.clock.now());
}
