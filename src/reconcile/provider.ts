import { causeOf } from '../apply/decision-drafts.js';
import { noteRecords } from '../apply/edge-records.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { evidenceOf } from '../plan/evidence.js';
import { toProviderEvidence } from '../plan/provider-evidence.js';
import { clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { toTriggers } from '../state/observe-consul.js';
import { orphanedNames } from '../state/orphaned-acl.js';
import { NOTHING_TOUCHED } from '../state/touched.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import type { Reached } from './fan-out.js';
import { type LastRead, lastReadName } from './last-read.js';
import { sendReached } from './send-reached.js';
import { reportUnreadable } from './unreadable.js';
import { unsettledNotes } from './unsettled-notes.js';

type DirectoryKey = Extract<Key, { kind: 'directory' }>;

/** The complete comparison with a directory: reads all of it and queues what changed. An incomplete read changes nothing. */
export async function reconcileProvider(
  key: DirectoryKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const directory = deps.directories.get(key.name);
  if (directory === undefined) {
    await reportUnreadable(key.name, causeOf(job), deps);
    return { kind: 'done' };
  }
  if (!job.triggers.some((trigger) => trigger.fullRead)) return { kind: 'done' };
  const { world, clock } = deps;
  const before = new Map(world.clients(key.name));
  const reached = destinationsBefore(key.name, [...before.values()], deps);

  const isFirst = !world.hasDirectory(key.name);

  const read = world.beginRead();
  const isUrgent = isFirst || job.triggers.some(({ urgent }) => urgent === true);
  const snapshot = await readAll(directory, isUrgent, deps, signal);
  // Asked after the read: what the read shows may have been reported while it was under way.
  const unsettled = await deps.inbox.unsettled(key.name);
  const touched = world.putDirectory(key.name, snapshot.clients, read, clock.now(), snapshot.unreadable);
  // In the same turn as the new state: no plan sees a loss without the report of it.
  const reachedBy = (clientId: string) => [
    ...(reached.get(clientId) ?? []),
    ...world.destinationsOf({ provider: key.name, clientId }, clock.now()),
  ];
  deps.queue.note(unsettledNotes(key.name, unsettled, [...before.values(), ...snapshot.clients], reachedBy));
  const recorded = isFirst ? noteRecords(world, clock.now()) : [];
  const changed = touched.clients.flatMap(({ provider, clientId }) =>
    provider === key.name && (before.has(clientId) || world.client({ provider, clientId }) !== undefined)
      ? clientId
      : [],
  );
  deps.metrics.gauge('scopemesh_directory_clients', snapshot.clients.length, { provider: key.name });
  const readAt = world.directories.readAt(key.name);
  if (readAt !== undefined)
    deps.metrics.gauge('scopemesh_directory_age_seconds', (clock.now() - readAt) / 1000, {
      provider: key.name,
    });
  deps.metrics.gauge('scopemesh_directory_read_requests', snapshot.requests, { provider: key.name });
  const reopened = snapshot.clients
    .map(({ clientId }) => clientId)
    .filter((clientId) => world.reopen({ provider: key.name, clientId }, read) !== NOTHING_TOUCHED);

  const reported = toProviderEvidence(key.name, evidenceOf(job), [...before.values(), ...snapshot.clients]);
  // Evidence about a scope plans every destination: the scope may have been lost before the last read.
  const ids = new Set([
    ...(reported.forEveryClient.length > 0 ? before.keys() : []),
    ...reported.clientIds,
    ...changed,
    ...reopened,
  ]);
  const isRecheck = job.triggers.every((trigger) => trigger.isRecheck);
  const reaches = [...ids].map((clientId): Reached => {
    const id = { provider: key.name, clientId };
    const evidence = reported.forClient(clientId);
    // A recheck comes long after the event. It is urgent only if it finds a loss.
    const urgent = (evidence.length > 0 && !isRecheck) || touched.losing.has(clientText(id));
    const isNamed = reported.clientIds.has(clientId);
    return { clientId, isNamed, evidence, urgent, at: reachedBy(clientId) };
  });
  const found = { reaches, touched, isFirst, about: reported.forClient };
  const aclFailure = await sendReached(key.name, found, job, deps, signal);
  await deps.queue.add(toTriggers(recorded, causeOf(job)));
  await reportUnreadable(key.name, causeOf(job), deps);
  // A failed read of ACL objects has not delayed any intention.
  if (aclFailure !== undefined) throw aclFailure;
  // The comparison at the start came before this read and could not find that these objects have no client.
  if (isFirst && orphanedNames(deps).length > 0) deps.askForSweep();
  const { requests } = snapshot;
  const lastRead: LastRead = {
    // As the age in /statusz and the metric: of a read that showed most clients.
    at: new Date(readAt ?? clock.now()).toISOString(),
    clients: snapshot.clients.length,
    requests,
  };
  await deps.keyValues.set(lastReadName(key.name), JSON.stringify(lastRead));
  deps.logger.info(
    {
      provider: key.name,
      clients: lastRead.clients,
      unreadable: snapshot.unreadable.length,
      changed: changed.length,
      requests,
    },
    'directory read completely',
  );
  return { kind: 'done' };
}

async function readAll(directory: Directory, isUrgent: boolean, deps: ReconcilerDeps, signal: AbortSignal) {
  try {
    return await directory.readAll(signal, isUrgent);
  } catch (error) {
    countFailure(directory.provider, error, deps);
    throw error;
  }
}

function destinationsBefore(provider: string, clients: readonly OAuthClient[], deps: ReconcilerDeps) {
  const now = deps.clock.now();
  return new Map(
    clients.map(({ clientId }) => [clientId, deps.world.destinationsOf({ provider, clientId }, now)]),
  );
}
