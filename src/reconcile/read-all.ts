import { isAclActive } from '../acl/apply/acl-state.js';
import { readMembers } from '../acl/job/read-members.js';
import { SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import { showQuarantines } from '../operator/quarantine-records.js';
import type { ReadDeps } from '../read/deps.js';
import { readAllAcl } from '../read/read-acl.js';
import { readConsul } from '../read/read-consul.js';
import { readIssuer } from '../read/read-issuer.js';
import type { CurrentStateDeps, MembersDeps } from './deps.js';

/**
 * Reads both sides completely into the world: every directory, and all of Consul. Throws if a part cannot be read
 * completely, because a plan from a part would be wrong. Members of groups may stay unknown: a plan then holds the changes
 * that depend on them. A caller that plans nothing may pass `onUnread`, which gets each directory that could not be read.
 */
export async function readCurrentState(
  deps: CurrentStateDeps,
  signal: AbortSignal,
  onUnread: (provider: string, error: SyncError) => void = (_, error) => {
    throw error;
  },
): Promise<void> {
  const consulRead = readConsulSide(deps, signal);
  await Promise.all([
    consulRead,
    ...[...deps.directories].map(async ([provider, directory]) => {
      try {
        await readClients(provider, directory, deps, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof SyncError)) throw error;
        onUnread(provider, error);
        return;
      }
      await consulRead;
      await readMembersIfPossible(provider, directory, deps, signal);
    }),
  ]);
}

/** Reads all of Consul into the world. Throws if a part cannot be read completely. */
export async function readConsulSide(deps: CurrentStateDeps, signal: AbortSignal): Promise<void> {
  await Promise.all([
    readConsul(deps, signal),
    showQuarantines(deps, signal),
    isAclActive(deps) ? readAllAcl(deps, signal) : undefined,
  ]);
}

type DirectoryDeps = Pick<MembersDeps, 'world' | 'acl' | 'clock'> & Pick<ReadDeps, 'jwksUris'>;

/**
 * Reads a directory into the world, and the members of its groups if possible. Consul is read before: it says who has
 * access by each group. Throws SyncError.
 */
export async function readDirectory(
  provider: string,
  directory: Directory,
  deps: DirectoryDeps,
  signal: AbortSignal,
): Promise<void> {
  await readClients(provider, directory, deps, signal);
  await readMembersIfPossible(provider, directory, deps, signal);
}

async function readClients(
  provider: string,
  directory: Directory,
  deps: DirectoryDeps,
  signal: AbortSignal,
): Promise<void> {
  const { world, clock } = deps;
  const read = world.beginRead();
  const [{ clients, unreadable }] = await Promise.all([
    directory.readAll(signal),
    readIssuer(provider, deps, signal),
  ]);
  world.putDirectory(provider, clients, read, clock.now(), unreadable);
}

async function readMembersIfPossible(
  provider: string,
  directory: Directory,
  deps: DirectoryDeps,
  signal: AbortSignal,
): Promise<void> {
  try {
    await readMembers(provider, directory, deps, signal);
  } catch (error) {
    if (signal.aborted || !(error instanceof SyncError)) throw error;
  }
}
