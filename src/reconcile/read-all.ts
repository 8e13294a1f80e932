import { isAclActive } from '../apply/acl/acl-state.js';
import { SyncError } from '../errors.js';
import { readAllAcl } from './acl/plan-clients.js';
import { readMembers } from './acl/read-members.js';
import { NO_FOLLOW_UPS, type ReconcilerDeps } from './deps.js';
import { showQuarantines } from './quarantine-records.js';
import { readConsul } from './sweep.js';

/**
 * Reads both sides completely into the world: every directory, and all of Consul. Throws if a part cannot be read
 * completely, because a plan from a part would be wrong. Members of groups may stay unknown: a plan then holds the changes
 * that depend on them. A caller that plans nothing may pass `onUnread`, which gets each directory that could not be read.
 */
export async function readBothSides(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'consul' | 'directories' | 'clock' | 'jwksUris' | 'logger'> &
    Partial<Pick<ReconcilerDeps, 'keyValues'>>,
  signal: AbortSignal,
  onUnread: (provider: string, error: SyncError) => void = (_, error) => {
    throw error;
  },
): Promise<void> {
  const { world, clock } = deps;
  const aclRead = isAclActive(deps) ? readAllAcl(deps, signal) : undefined;
  await Promise.all([
    // The differences are not queued: the caller plans everything.
    readConsul({ ...deps, queue: NO_FOLLOW_UPS }, signal),
    showQuarantines(deps, signal),
    aclRead,
    ...[...deps.directories].map(async ([provider, directory]) => {
      const read = world.beginRead();
      try {
        const { clients, unreadable } = await directory.readAll(signal);
        world.putDirectory(provider, clients, read, clock.now(), unreadable);
      } catch (error) {
        if (signal.aborted || !(error instanceof SyncError)) throw error;
        onUnread(provider, error);
        return;
      }
      await aclRead;
      try {
        await readMembers(provider, directory, deps, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof SyncError)) throw error;
      }
    }),
  ]);
}
