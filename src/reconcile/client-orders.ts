import { reconcileClientAcl } from '../acl/job/client-acl.js';
import { messageOf, Stopped } from '../errors.js';
import type { Evidence, Job } from '../model/trigger.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { releaseIfDecided, takeOrders } from '../operator/quarantines.js';
import { hasOrder } from '../plan/client-job.js';
import type { ClientId } from '../plan/world.js';
import type { ClientReach } from './client-reach.js';
import type { ClientAclDeps, ClientDeps } from './deps.js';
import { runSettled } from './run-settled.js';

/** Closes a client by an order, and ends a quarantine that a person has released. No read of a directory comes before it. */
export async function carryOutOrders(
  id: ClientId,
  job: Job,
  reach: ClientReach,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<void> {
  // Noted before the block is in the world: an earlier job that sees the block must know its cause.
  if (job.triggers.some(({ order }) => order?.kind === 'secret-compromised'))
    deps.queue.note(reach.closing());
  const recorded = await runSettled(async () => {
    const isTaken = await takeOrders(id, job, deps);
    return (await releaseIfDecided(id, deps)) || isTaken;
  });
  // A quarantine waits neither for the directory nor for a store that refuses its record.
  const closed = await runSettled(async () => {
    if (!hasOrder(job) || deps.world.clientBlock(id) === undefined) return;
    await deps.queue.add(reach.closing());
    await closeLogins(id, job, deps, signal);
  });
  if (recorded.status === 'rejected') throw recorded.reason;
  // Neither the closing nor a refusing KV waits for the other.
  if (recorded.value) await writeQuarantine(id, deps, signal);
  if (closed.status === 'rejected') throw closed.reason;
}

/** A failure is tried again with the job: it must not keep the directory from being read for a new secret. A stop ends the job. */
export async function closeLogins(
  id: ClientId,
  job: Job,
  deps: ClientAclDeps,
  signal: AbortSignal,
  evidence?: readonly Evidence[],
): Promise<void> {
  await reconcileClientAcl(id, job, deps, signal, evidence).catch((error: unknown) => {
    if (error instanceof Stopped) throw error;
    const fields = { ...id, error: messageOf(error) };
    deps.logger.warn(
      fields,
      'the ACL objects of a client that loses its access are not closed yet; scopemesh tries again',
    );
  });
}
