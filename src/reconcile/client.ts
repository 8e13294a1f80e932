import { isAclActive } from '../acl/apply/acl-state.js';
import { reconcileClientAcl } from '../acl/job/client-acl.js';
import { settleClientAcl } from '../acl/job/read-client-acl.js';
import { causeOf } from '../apply/decision-drafts.js';
import { recordHolds } from '../apply/record-holds.js';
import { ClientUnreadable } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientKey, formatKey, type Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { releaseIfDecided } from '../operator/quarantines.js';
import { hasOrder, needsRead, proofOf } from '../plan/client-job.js';
import { selectsClient } from '../plan/selection.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { carryOutOrders } from './client-orders.js';
import { ClientReach } from './client-reach.js';
import type { ClientDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { readClient } from './read-client.js';
import { runSettled } from './run-settled.js';
import { settleClaims } from './settle-claims.js';

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

/** Finds the client ID of a client that is named by another ID, and queues the client's own key. */
async function resolveReference(
  key: Extract<Key, { kind: 'client' }>,
  job: Job,
  directory: Directory,
  deps: Pick<ClientDeps, 'world' | 'queue' | 'metrics'>,
  signal: AbortSignal,
): Promise<JobResult> {
  const cached =
    key.by === 'internalId' ? deps.world.directories.clientIdOf(key.provider, key.value) : undefined;
  const read = async () => {
    try {
      return (await directory.read(key.by, key.value, signal, proofOf(job)))?.clientId;
    } catch (error) {
      countFailure(key.provider, error, deps);
      // The client's own key reports it. If the record's client is unknown, only an order is tried again.
      if (error instanceof ClientUnreadable && (error.clientId !== undefined || !hasOrder(job)))
        return error.clientId;
      throw error;
    }
  };
  const clientId = cached ?? (await read());
  // Unknown to the identity provider and to scopemesh: it was created and deleted between two reads, and never had access.
  if (clientId === undefined) return { kind: 'done' };
  await deps.queue.add(
    job.triggers.map((trigger) => ({ ...trigger, key: clientKey(key.provider, clientId) })),
  );
  return { kind: 'done' };
}

/** A client that is gone under its client ID may have another one now, which its internal ID finds. */
async function followRename(
  id: ClientId,
  known: OAuthClient | undefined,
  job: Job,
  deps: Pick<ClientDeps, 'world' | 'queue' | 'metrics'>,
): Promise<void> {
  if (known?.internalId === undefined || deps.world.client(id) !== undefined) return;
  const key: Key = { kind: 'client', provider: id.provider, by: 'internalId', value: known.internalId };
  await deps.queue.add(job.triggers.map((trigger) => ({ ...trigger, key })));
}

/** The provider left the configuration: the sweep closes what the client opened, except its logins. */
async function closeRemoved(
  id: ClientId,
  job: Job,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  if (await releaseIfDecided(id, deps)) await writeQuarantine(id, deps, signal);
  return reconcileClientAcl(id, job, deps, signal);
}

/** A client outside the selection keeps what it has. What an earlier selection held or left unsettled is ended. */
async function settleUnselected(
  id: ClientId,
  job: Job,
  deps: ClientDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  await settleClientAcl(id, deps, signal);
  await recordHolds(key, await deps.journal.read(key), [], causeOf(job), deps);
  return { kind: 'done' };
}
