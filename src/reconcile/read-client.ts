import { causeOf } from '../apply/decision-drafts.js';
import { ClientUnreadable, SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientKey, type Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { releaseIfRotated } from '../operator/quarantines.js';
import { hasOrder, ordersToClose } from '../plan/client-job.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import type { Touched } from '../state/touched.js';
import { blockUnconfirmed } from './client-blocks.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { reportUnreadable } from './unreadable.js';

/**
 * Reads the client into the state. `closed` and `waits`: the directory does not answer for the client, and an order to
 * close it is tried again soon. With `closed` the client is closed meanwhile.
 */
export async function readClient(
  id: ClientId,
  job: Job,
  directory: Directory,
  onRead: (touched: Touched) => void,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<'read' | 'closed' | 'waits'> {
  const { world } = deps;
  const read = world.beginRead();
  let client: OAuthClient | undefined;
  try {
    client = await deps.clientReads.run(() => directory.read('clientId', id.clientId, signal, hasOrder(job)));
  } catch (error) {
    if (error instanceof ClientUnreadable) {
      world.putUnreadable(id, error.why, read);
      await reportUnreadable(id.provider, causeOf(job), deps, id);
      if (!ordersToClose(job)) return 'read';
    } else countFailure(id.provider, error, deps);
    if (!(error instanceof SyncError) || !hasOrder(job)) throw error;
    return (await blockUnconfirmed(id, job, error.code, deps)) ? 'closed' : 'waits';
  }
  const wasUnreadable = world.isUnreadable(id);
  const touched = world.putClient(id, client, read);
  onRead(touched);
  if (wasUnreadable) await reportUnreadable(id.provider, causeOf(job), deps, id);
  if (await releaseIfRotated(id, client, causeOf(job), deps)) await writeQuarantine(id, deps, signal);
  // Before the first complete read a single read closes only what it decides. An order closes everything and does not wait.
  if (client?.enabled !== true && !world.hasDirectory(id.provider) && ordersToClose(job)) {
    return (await blockUnconfirmed(id, job, 'ERR_DIRECTORY_INCOMPLETE', deps)) ? 'closed' : 'waits';
  }
  world.reopen(id, read);
  return 'read';
}

/** Finds the client ID of a client that is named by another ID, and queues the client's own key. */
export async function resolveReference(
  key: Extract<Key, { kind: 'client' }>,
  job: Job,
  directory: Directory,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const cached =
    key.by === 'internalId' ? deps.world.directories.clientIdOf(key.provider, key.value) : undefined;
  const read = async () => {
    try {
      return (await directory.read(key.by, key.value, signal, hasOrder(job)))?.clientId;
    } catch (error) {
      countFailure(key.provider, error, deps);
      // The client's own key reports it. If the record's client is unknown, only an order is tried again.
      if (error instanceof ClientUnreadable && (error.clientId !== undefined || !hasOrder(job)))
        return error.clientId;
      throw error;
    }
  };
  const clientId = cached ?? (await read());
  // Unknown to the IdP and to scopemesh: it was created and deleted between two reads, and never had access.
  if (clientId === undefined) return { kind: 'done' };
  await deps.queue.add(
    job.triggers.map((trigger) => ({ ...trigger, key: clientKey(key.provider, clientId) })),
  );
  return { kind: 'done' };
}

/** A client that is gone under its client ID may have another one now, which its internal ID finds. */
export async function followRename(
  id: ClientId,
  known: OAuthClient | undefined,
  job: Job,
  deps: ReconcilerDeps,
): Promise<void> {
  if (known?.internalId === undefined || deps.world.client(id) !== undefined) return;
  const key: Key = { kind: 'client', provider: id.provider, by: 'internalId', value: known.internalId };
  await deps.queue.add(job.triggers.map((trigger) => ({ ...trigger, key })));
}
