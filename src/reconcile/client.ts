import { isAclActive } from '../acl/apply/acl-state.js';
import { reconcileClientAcl } from '../acl/job/client-acl.js';
import { causeOf } from '../apply/decision-drafts.js';
import type { Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { needsRead } from '../plan/client-job.js';
import { selectsClient } from '../plan/selection.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { carryOutOrders } from './client-orders.js';
import { ClientReach } from './client-reach.js';
import { followRename, resolveReference } from './client-references.js';
import type { ClientDeps } from './deps.js';
import { readClient } from './read-client.js';
import { runSettled } from './run-settled.js';
import { settleClaims } from './settle-claims.js';
import { closeRemoved, settleUnselected } from './unmanaged-clients.js';

type ClientKey = Extract<Key, { kind: 'client' }>;

const DONE: JobResult = { kind: 'done' };
/** What a job may only do after Consul was read completely is looked at again after so long. */
export const UNREAD: JobResult = { kind: 'retry', afterMs: 10_000 };

/** Reads one client, and lets every destination that it reaches, or reached, be planned. */
export async function reconcileClient(
  key: ClientKey,
  job: Job,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { world, acl, queue } = deps;
  const directory = deps.directories.get(key.provider);
  if (key.by !== 'clientId')
    return directory === undefined ? DONE : resolveReference(key, job, directory, deps, signal);
  const id: ClientId = { provider: key.provider, clientId: key.value };
  if (directory === undefined) return closeRemoved(id, job, deps, signal);
  if (!selectsClient(world.mapping, id)) return settleUnselected(id, job, deps, signal);

  const reach = new ClientReach(id, job, deps);
  await carryOutOrders(id, job, reach, deps, signal);
  const waits = needsRead(job) ? await readClient(id, job, directory, reach, deps, signal) : undefined;
  if (waits !== undefined) return waits;
  if (world.narrowsOnly) {
    await queue.add(reach.destinations());
    return UNREAD;
  }

  const current = reach.job;
  const others = reach.otherClients();
  if (current.triggers.length === 0) {
    await queue.add(others);
    return DONE;
  }
  await followRename(id, reach.known, current, deps);

  // A loss closes first, so that no problem with a claim or with Consul's ACL delays it. A gain opens last: when an
  // intention opens, its client may log in.
  const gains = isAclActive(deps) && isOpen(id, deps) && !reach.loses;
  if (!gains) await queue.add(reach.destinations());
  // They may be thousands, and gain at most.
  await queue.add(others);

  if (gains) acl.opening.add(clientText(id));
  const [claims, objects] = [
    await runSettled(() => settleClaims(id, causeOf(current), deps, signal)),
    await runSettled(() => reconcileClientAcl(id, current, deps, signal, reach.evidenceOf(current))),
  ];
  acl.opening.delete(clientText(id));

  const claimsChanged = claims.status === 'fulfilled' && claims.value;
  if (gains || claimsChanged) await queue.add(reach.destinations());
  if (claims.status === 'rejected') throw claims.reason;
  if (objects.status === 'rejected') throw objects.reason;
  return objects.value;
}

/** Whether the client is known and enabled, and nothing blocks it. */
function isOpen(id: ClientId, { world }: Pick<ClientDeps, 'world'>): boolean {
  const isBlocked = world.clientBlock(id) !== undefined;
  return world.hasDirectory(id.provider) && !isBlocked && world.client(id)?.enabled === true;
}
