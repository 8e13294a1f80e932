import { isAclActive } from '../apply/acl/acl-state.js';
import { SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import { groupsOf } from '../plan/acl/plan-people.js';
import { readAllAcl } from './acl/plan-clients.js';
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
  await Promise.all([
    readConsulSide(deps, signal),
    ...[...deps.directories].map(async ([provider, directory]) => {
      try {
        await readDirectory(provider, directory, deps, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof SyncError)) throw error;
        onUnread(provider, error);
      }
    }),
  ]);
}

/** Reads all of Consul into the world. Throws if a part cannot be read completely. */
export async function readConsulSide(
  deps: Parameters<typeof readBothSides>[0],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([
    // The differences are not queued: the caller plans everything.
    readConsul({ ...deps, queue: NO_FOLLOW_UPS }, signal),
    showQuarantines(deps, signal),
    isAclActive(deps) ? readAllAcl(deps, signal) : undefined,
  ]);
}

/** Reads a directory into the world, and the members of its groups if possible. Throws SyncError. */
export async function readDirectory(
  provider: string,
  directory: Directory,
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const read = deps.world.beginRead();
  const { clients, unreadable } = await directory.readAll(signal);
  deps.world.putDirectory(provider, clients, read, deps.clock.now(), unreadable);
  await readMembers(provider, directory, deps, signal);
}

async function readMembers(
  provider: string,
  directory: Directory,
  { world, acl }: Pick<ReconcilerDeps, 'world' | 'acl'>,
  signal: AbortSignal,
): Promise<void> {
  const groups = groupsOf(world.mapping, provider);
  if (groups.length === 0 || directory.readMembers === undefined) return;
  try {
    acl.members.set(provider, await directory.readMembers(groups, signal));
  } catch (error) {
    if (signal.aborted || !(error instanceof SyncError)) throw error;
  }
}
