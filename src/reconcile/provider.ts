import { isAclActive } from '../acl/apply/acl-state.js';
import { orphanedObjects } from '../acl/state/orphaned-acl.js';
import { causeOf } from '../apply/decision-drafts.js';
import { noteRecords } from '../apply/edge-records.js';
import { messageOf, Stopped } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import { type Key, leftObjectsKey } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { evidenceOf, withClientId } from '../plan/evidence.js';
import { isApprovable } from '../plan/holds.js';
import { toProviderEvidence } from '../plan/provider-evidence.js';
import { reachedClients } from '../plan/reached.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { readIssuer } from '../read/read-issuer.js';
import { toTriggers } from '../state/observe-consul.js';
import { NOTHING_TOUCHED } from '../state/touched.js';
import type { DirectoryDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { fanOut } from './fan-out.js';
import { measureRead, reportRead } from './last-read.js';
import { sendReached } from './send-reached.js';
import { reportUnreadable } from './unreadable.js';

type DirectoryKey = Extract<Key, { kind: 'directory' }>;

/** The complete comparison with a directory: reads all of it and queues what changed. An incomplete read changes nothing. */
export async function reconcileProvider(
  { name: provider }: DirectoryKey,
  job: Job,
  deps: DirectoryDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { world, clock, queue } = deps;
  const cause = causeOf(job);
  const directory = deps.directories.get(provider);
  if (directory === undefined) await reportUnreadable(provider, cause, deps);
  if (directory === undefined || !job.triggers.some((trigger) => trigger.fullRead)) return { kind: 'done' };

  const isFirst = !world.hasDirectory(provider);
  const hasUnnamed = () => world.directories.unreadableOf(provider).hasUnnamed;
  const wasIncomplete = isFirst || hasUnnamed();
  const before = new Map(world.clients(provider));
  const destinationsOf = (clientId: string) => world.destinationsOf({ provider, clientId }, clock.now());
  const reachedBefore = new Map([...before.keys()].map((clientId) => [clientId, destinationsOf(clientId)]));
  const read = world.beginRead();
  const isUrgent = isFirst || job.triggers.some(({ urgent }) => urgent === true);
  const issuer = followIssuer(provider, deps, signal);
  const snapshot = await readAll(directory, isUrgent, deps, signal);
  // No client is planned before it is known. Later no loss waits for it.
  if (isFirst) await issuer;
  // Asked after the read: what the read shows may have been reported while it was under way.
  const unsettled = await deps.inbox.unsettled(provider);
  const touched = world.putDirectory(provider, snapshot.clients, read, clock.now(), snapshot.unreadable);
  // In the same turn as the new state: no plan sees a loss without the report of it.
  const clients = [...before.values(), ...snapshot.clients];
  const reachedBy = (clientId: string) => [
    ...(reachedBefore.get(clientId) ?? []),
    ...destinationsOf(clientId),
  ];
  queue.note(unsettledNotes(provider, unsettled, clients, reachedBy));
  const recorded = isFirst ? noteRecords(world, clock.now()) : [];
  measureRead(provider, snapshot, deps);

  const isKnown = (id: ClientId) => before.has(id.clientId) || world.client(id) !== undefined;
  const changed = touched.clients.filter((id) => id.provider === provider && isKnown(id));
  const reopened = snapshot.clients.filter(
    ({ clientId }) => world.reopen({ provider, clientId }, read) !== NOTHING_TOUCHED,
  );
  const reported = toProviderEvidence(provider, evidenceOf(job), clients);
  const found = {
    provider,
    reported,
    before: before.keys(),
    changed: [...changed, ...reopened].map(({ clientId }) => clientId),
    losing: touched.losing,
  };
  const reaches = reachedClients(found, job, reachedBy);

  const sent = { reaches, touched, isFirst, about: reported.forClient };
  const aclFailure = await sendReached(provider, sent, job, deps, signal);
  await queue.add(toTriggers(recorded, cause));
  await reportUnreadable(provider, cause, deps);
  // A failed read of ACL objects has not delayed any intention.
  if (aclFailure !== undefined) throw aclFailure;
  if (await changesOrphans(wasIncomplete && !hasUnnamed(), deps)) deps.askForSweep();

  await reportRead(provider, snapshot, changed.length, deps);
  return { kind: 'done' };
}

/**
 * Whether only the complete comparison finds what a read says of objects of unknown clients. Before the first complete read
 * of their directory it could not find any, nor make what a person approved. The hold of one ends once its client is known.
 */
async function changesOrphans(isNowComplete: boolean, deps: DirectoryDeps): Promise<boolean> {
  const found = isAclActive(deps) ? orphanedObjects(deps) : undefined;
  if (found === undefined) return false;
  if (isNowComplete && found.names.size > 0) return true;
  const { holds } = await deps.journal.read(leftObjectsKey(deps.world.mapping.owner));
  return [...holds.values()].some(
    ({ subject, reason }) => isApprovable(reason) && !found.names.has(subject) && !found.isUndecided(subject),
  );
}

/** The complete comparison makes, or holds again, what depends on it. */
async function followIssuer(provider: string, deps: DirectoryDeps, signal: AbortSignal): Promise<void> {
  if (!(await readIssuer(provider, deps, signal))) return;
  deps.askForSweep();
  if (deps.world.userTokens.redirects(provider))
    deps.logger.warn(
      { provider },
      'the discovery document of the issuer redirects; no login of this provider is made or widened',
    );
}

async function readAll(directory: Directory, isUrgent: boolean, deps: DirectoryDeps, signal: AbortSignal) {
  const side = { kind: 'provider', name: directory.provider } as const;
  try {
    const snapshot = await directory.readAll(signal, isUrgent);
    deps.reads.succeeded(side, 'directory');
    return snapshot;
  } catch (error) {
    countFailure(directory.provider, error, deps);
    if (!(error instanceof Stopped) && !signal.aborted)
      deps.reads.failed(side, 'directory', messageOf(error), deps.clock.now());
    throw error;
  }
}

/**
 * What events reported about clients and no job has settled, as notes for the destinations of these clients. A complete
 * read often shows a loss before the job of the client runs: after an outage that job waits for its next try, and after a
 * crash for the lock of the process that died. Without a note the mass guard would count the removal as inferred.
 */
function unsettledNotes(
  provider: string,
  unsettled: readonly Trigger[],
  clients: readonly OAuthClient[],
  reachedBy: (clientId: string) => readonly ServiceName[],
): readonly Trigger[] {
  const byId = new Map(clients.map((client) => [client.clientId, client]));
  const byInternalId = new Map(clients.map(({ internalId, clientId }) => [internalId, clientId]));
  return unsettled.flatMap((trigger) => {
    const evidence = (trigger.evidence ?? []).filter((each) => each.provider === provider);
    const named = evidence.flatMap(({ clients: ids = [], internalIds = [] }) => [
      ...ids,
      ...internalIds.flatMap((id) => byInternalId.get(id) ?? []),
    ]);
    const job = { key: trigger.key, triggers: [trigger], attempts: 0 };
    const urgent = trigger.urgent === true && trigger.isRecheck !== true;
    return [...new Set(named)].flatMap((clientId) => {
      const id = { provider, clientId };
      return fanOut(reachedBy(clientId), job, withClientId(evidence, id, byId.get(clientId)), urgent, id);
    });
  });
}
