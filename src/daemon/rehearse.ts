import type { ReconcilerDeps } from '../reconcile/deps.js';
import { readConsulSide, readDirectory } from '../reconcile/read-all.js';
import { restoreRecords } from '../reconcile/restore.js';
import { runCooperatively } from '../run-cooperatively.js';
import { planningFleet } from '../state/fleet.js';

/**
 * Does what a new leader does before its first write, and records and writes nothing. `deps` has a world of its own, which
 * the caller drops: the leader's reads are newer, so no decision may come of this one. What stays is what makes the same
 * work fast: the adapters know most of what they will read, and the code is compiled. Throws if Consul or the store cannot
 * be read completely; no directory is read then. `each` calls `read` for the directories that are to be read; `read` throws
 * SyncError.
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
  each: (provider: string, read: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await restoreRecords(deps);
  await readConsulSide(deps, signal);
  await Promise.all(
    [...deps.directories].map(([provider, directory]) =>
      each(provider, () => readDirectory(provider, directory, deps, signal)),
    ),
  );
  await runCooperatively(
    planningFleet(deps.world, deps.window, () => deps.clock.now()),
    signal,
  );
}
