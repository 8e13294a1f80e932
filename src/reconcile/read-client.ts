import { causeOf } from '../apply/decision-drafts.js';
import { ClientUnreadable, SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientKey, type Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { hasOrder, ordersToClose } from '../plan/client-job.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import type { Touched } from '../state/touched.js';
import { blockUnconfirmed, releaseIfRotated } from './client-blocks.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { reportUnreadable } from './unreadable.js';

/**
 * Takes in what the directory says of the client. `closed` and `waits`: it does not say, and an order to close the
 * client is to be tried again soon, with the client closed meanwhile or not.
 */
export async function readClient(
  id: ClientId,
  job: Job,
  directory: Directory,
  tell: (touched: Touched) => void,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<'read' | 'closed' | 'waits'> {
  const { world } = deps;
  const read = world.beginRead();
  let client: OAuthClient | undefined;
  try {
    client = await directory.read('clientId', id.clientId, signal, hasOrder(job));
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
  tell(touched);
  if (wasUnreadable) await reportUnreadable(id.provider, causeOf(job), deps, id);
  await releaseIfRotated(id, client, deps);
  // Before the first complete read nothing follows from a single one; what an order names must not wait for that.
  if (client?.enabled !== true && !world.hasDirectory(id.provider) && ordersToClose(job)) {
    return (await blockUnconfirmed(id, job, 'ERR_DIRECTORY_INCOMPLETE', deps)) ? 'closed' : 'waits';
  }
  world.reopen(id, read);
  return 'read';
}

/** A client named by another id than its client id: find that, and let the client's own key do the work. */
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
      // Its own key tells it. Where nobody knows whose the record is, only an order is worth another try.
      if (error instanceof ClientUnreadable && (error.clientId !== undefined || !hasOrder(job)))
        return error.clientId;
      throw error;
    }
  };
  const clientId = cached ?? (await read());
  // Unknown to the IdP and to us: it came and went between two reads, and nothing was ever opened for it.
  if (clientId === undefined) return { kind: 'done' };
  await deps.queue.add(
    job.triggers.map((trigger) => ({ ...trigger, key: clientKey(key.provider, clientId) })),
  );
  return { kind: 'done' };
}
