import { reconcileClientAcl } from '../acl/job/client-acl.js';
import { settleClientAcl } from '../acl/job/read-client-acl.js';
import { causeOf } from '../apply/decision-drafts.js';
import { recordHolds } from '../apply/record-holds.js';
import { clientKey, formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { settleLeftDecisions } from '../operator/quarantines.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { endReleased } from './client-orders.js';
import type { ClientDeps } from './deps.js';

/** The provider left the configuration: the sweep closes what the client opened, except its logins. */
export async function closeRemoved(
  id: ClientId,
  job: Job,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  if (await endReleased(id, deps)) await writeQuarantine(id, deps, signal);
  return reconcileClientAcl(id, job, deps, signal);
}

/** A client outside the selection keeps what it has. What an earlier selection held or left unsettled is ended. */
export async function settleUnselected(
  id: ClientId,
  job: Job,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  await settleLeftDecisions(id, deps);
  await settleClientAcl(id, deps, signal);
  await recordHolds(key, await deps.journal.read(key), [], causeOf(job), deps);
  return { kind: 'done' };
}
