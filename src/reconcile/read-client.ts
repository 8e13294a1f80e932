import { reconcileClientAcl } from '../acl/job/client-acl.js';
import { settleClientAcl } from '../acl/job/read-client-acl.js';
import { causeOf } from '../apply/decision-drafts.js';
import { ClientUnreadable, Stopped, SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { Job } from '../model/trigger.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { releaseIfRotated } from '../operator/quarantines.js';
import { hasOrder, ordersToClose, proofOf } from '../plan/client-job.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { blockUnconfirmed } from './block-unconfirmed.js';
import { closeLogins } from './client-orders.js';
import type { ClientReach } from './client-reach.js';
import type { ClientDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { runSettled } from './run-settled.js';
import { reportUnreadable } from './unreadable.js';

/** Between reads of a directory that does not answer while an order waits. */
const ORDER_RETRY_MS = 1_000;
/** The same while the record of a closed client cannot be parsed: until then the order must outlive a restart. */
const UNREADABLE_RETRY_MS = 60_000;

/** Reads the client into the state. Undefined then; otherwise an order waits for its directory and is tried again soon. */
export async function readClient(
  id: ClientId,
  job: Job,
  directory: Directory,
  reach: ClientReach,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<JobResult | undefined> {
  const { world, queue } = deps;
  const outcome = await read(id, job, directory, reach, deps, signal).catch(async (error: unknown) => {
    const settled = await runSettled(() => settleClientAcl(id, deps, signal));
    // A stop is no failure, and no failure hides it.
    if (settled.status === 'rejected' && !(error instanceof Stopped)) throw settled.reason;
    throw error;
  });
  switch (outcome) {
    case 'read':
      return undefined;
    case 'waits':
      // A client that was read may lose already what the read does not show.
      if (reach.isRead) {
        await queue.add(reach.destinations());
        await closeLogins(id, job, deps, signal, reach.evidenceOf(job));
      } else await settleClientAcl(id, deps, signal);
      return { kind: 'retry', afterMs: ORDER_RETRY_MS };
    case 'closed':
      await queue.add(reach.closing());
      await reconcileClientAcl(id, job, deps, signal);
      return { kind: 'retry', afterMs: world.isUnreadable(id) ? UNREADABLE_RETRY_MS : ORDER_RETRY_MS };
  }
}

/** `closed` and `waits`: the directory does not answer for the client. With `closed` an order closed it meanwhile. */
async function read(
  id: ClientId,
  job: Job,
  directory: Directory,
  reach: ClientReach,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<'read' | 'closed' | 'waits'> {
  const { world } = deps;
  const begun = world.beginRead();
  let client: OAuthClient | undefined;
  try {
    client = await deps.clientReads.run(() => directory.read('clientId', id.clientId, signal, proofOf(job)));
  } catch (error) {
    if (error instanceof ClientUnreadable) {
      world.putUnreadable(id, error.why, begun);
      await reportUnreadable(id.provider, causeOf(job), deps, id);
      if (!ordersToClose(job)) return 'read';
    } else countFailure(id.provider, error, deps);
    if (!(error instanceof SyncError) || !hasOrder(job)) throw error;
    return (await blockUnconfirmed(id, job, error.code, deps)) ? 'closed' : 'waits';
  }
  const wasUnreadable = world.isUnreadable(id);
  reach.noteRead(world.putClient(id, client, begun));
  // A note waits for this job to add its keys, which a job without triggers does not do.
  if (reach.job.triggers.length > 0) deps.queue.note(reach.destinations());
  if (wasUnreadable) await reportUnreadable(id.provider, causeOf(job), deps, id);
  if (await releaseIfRotated(id, client, causeOf(job), deps)) await writeQuarantine(id, deps, signal);
  // Before the first complete read a single read closes only what it decides. An order closes everything and does not wait.
  if (client?.enabled !== true && !world.hasDirectory(id.provider) && ordersToClose(job)) {
    return (await blockUnconfirmed(id, job, 'ERR_DIRECTORY_INCOMPLETE', deps)) ? 'closed' : 'waits';
  }
  world.reopen(id, begun);
  return 'read';
}
