import { aclBudget } from '../acl/job/acl-budget.js';
import { reconcileClientAcl } from '../acl/job/client-acl.js';
import { settleClientAcl } from '../acl/job/read-client-acl.js';
import { causeOf } from '../apply/decision-drafts.js';
import { ClientUnreadable, type ErrorCode, Stopped, SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { Job } from '../model/trigger.js';
import { step } from '../observe.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { releaseIfRotated } from '../operator/quarantines.js';
import { hasOrder, ordersToClose, proofOf } from '../plan/client-job.js';
import { isBeyondLimit } from '../plan/guards/revocation-limit.js';
import { clientName } from '../plan/object-names.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { budgetOf, NO_ACL } from '../state/fleet.js';
import { closeLogins } from './client-orders.js';
import type { ClientReach } from './client-reach.js';
import type { ClientDeps, CountedDeps } from './deps.js';
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
    client = await step(deps, 'read', { side: `provider/${id.provider}` }, () =>
      deps.clientReads.run(() => directory.read('clientId', id.clientId, signal, proofOf(job))),
    );
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

/** How long a directory may be unreadable before the client of an order is closed without a read. */
const UNCONFIRMED_AFTER_MS = 5_000;

/**
 * Closes the client of an order to disable or delete it, if its directory has not answered for 5 s. The mass guard limits
 * these removals: beyond its limit the order waits, and that is logged. True if the client is closed now.
 */
export async function blockUnconfirmed(
  id: ClientId,
  job: Job,
  code: ErrorCode,
  deps: CountedDeps,
): Promise<boolean> {
  const orders = job.triggers.flatMap(({ order }) =>
    order?.kind === 'client-disabled' || order?.kind === 'client-deleted' ? [order] : [],
  );
  const oldest = Math.min(...orders.map((order) => Date.parse(order.cause.receivedAt)));
  const now = deps.clock.now();
  // An order from the future is from before the clock was set back. How long it has waited is unknown.
  if (orders.length === 0 || Math.abs(now - oldest) < UNCONFIRMED_AFTER_MS) return false;
  if (deps.world.clientBlock(id) !== undefined) return true;
  const acl = aclBudget(deps, now);
  const existing = deps.acl.cache.of(clientName(deps.world.mapping.owner, id));
  const edges = deps.world.owned.countOf(id) + (existing.authMethod === undefined ? 0 : 1);
  // What is under way counts as made. What plans only hold does not: an order does not wait for a person.
  const planned = edges + deps.window.underWay(now);
  const budget = budgetOf(deps.world, deps.window, now, () => planned, { ...NO_ACL, owned: acl.owned });
  if (isBeyondLimit(budget)) {
    const { waitingOrders } = deps.world;
    if (!waitingOrders.has(clientText(id)))
      deps.logger.error(
        { provider: id.provider, clientId: id.clientId, used: budget.used, edges, code },
        'an ordered revocation waits: the directory cannot be read and the mass guard allows no more removals without a read',
      );
    waitingOrders.add(clientText(id));
    return false;
  }
  await deps.window.addStored(edges, now, deps.keyValues);
  deps.world.setClientBlock(id, 'RevocationUnconfirmed');
  deps.logger.warn(
    { provider: id.provider, clientId: id.clientId, code },
    'client closed by an order while its directory cannot be read',
  );
  return true;
}
