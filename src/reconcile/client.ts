import { isAclActive } from '../apply/acl/acl-state.js';
import { causeOf } from '../apply/decision-drafts.js';
import { recordHolds } from '../apply/record-holds.js';
import { messageOf } from '../errors.js';
import { clientKey, formatKey, type Key } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { writeQuarantine } from '../operator/quarantine-records.js';
import { releaseIfDecided, settleLeftDecisions, takeOrders } from '../operator/quarantines.js';
import { hasOrder, needsRead, withClientId, withoutSettledRechecks } from '../plan/client-job.js';
import { selectsClient } from '../plan/selection.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { NOTHING_TOUCHED, type Touched } from '../state/touched.js';
import { reconcileClientAcl } from './acl/client-acl.js';
import { settleClientAcl } from './acl/read-client-acl.js';
import { settleClaims } from './claims.js';
import type { ReconcilerDeps } from './deps.js';
import { evidenceOf, fanOut } from './fan-out.js';
import { followRename, readClient, resolveReference } from './read-client.js';
import { settled } from './settled.js';

type ClientKey = Extract<Key, { kind: 'client' }>;

/** Between reads of a directory that does not answer while an order waits. */
const ORDER_RETRY_MS = 1_000;
/** The same while the record of a closed client cannot be parsed: until then the order must outlive a restart. */
const UNREADABLE_RETRY_MS = 60_000;

/** Reads one client, and lets every destination that it reaches, or reached, be planned. */
export async function reconcileClient(
  key: ClientKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { world, queue } = deps;
  const directory = deps.directories.get(key.provider);
  // The provider left the configuration: the sweep closes what it opened, except its logins.
  if (directory === undefined) {
    if (key.by !== 'clientId') return { kind: 'done' };
    const gone = { provider: key.provider, clientId: key.value };
    await settleLeftDecisions(gone, deps);
    if (await releaseIfDecided(gone, deps)) await writeQuarantine(gone, deps, signal);
    return reconcileClientAcl(gone, job, deps, signal);
  }
  if (key.by !== 'clientId') return resolveReference(key, job, directory, deps, signal);

  const id: ClientId = { provider: key.provider, clientId: key.value };
  if (!selectsClient(world.mapping, id)) return leaveClient(id, job, deps, signal);
  const known = world.client(id);
  const before = world.destinationsOf(id, deps.clock.now());
  let touched = NOTHING_TOUCHED;
  const loses = () => touched.losing.has(clientText(id));
  const close = () => queue.add(fanOut(before, job, [], true, id));
  const relevantJob = () => withoutSettledRechecks(job, known, world.client(id));
  // Soon after a start an event names a client by its internal ID alone, and only this read shows whose that is.
  const evidenceFor = (each: Job) => withClientId(evidenceOf(each), id, known ?? world.client(id));
  const triggersNow = () => {
    const now = relevantJob();
    const after = world.destinationsOf(id, deps.clock.now());
    // A recheck comes long after the event. It is urgent only if it finds a loss.
    const urgent = now.triggers.some((trigger) => trigger.urgent && !trigger.isRecheck) || loses();
    return fanOut([...before, ...after], now, evidenceFor(now), urgent, id);
  };

  // Noted before the block is in the world: an earlier job that sees the block must know its cause.
  if (job.triggers.some(({ order }) => order?.kind === 'secret-compromised'))
    queue.note(fanOut(before, job, [], true, id));
  const recorded = await settled(async () => {
    const isTaken = await takeOrders(id, job, deps);
    await settleLeftDecisions(id, deps);
    const isReleased = await releaseIfDecided(id, deps);
    return isTaken || isReleased;
  });
  // A quarantine waits neither for the directory nor for a store that refuses its record.
  if (hasOrder(job) && world.clientBlock(id) !== undefined) {
    await close();
    await closeLogins(id, job, deps, signal);
  }
  if (recorded.status === 'rejected') throw recorded.reason;
  // Neither the closing nor a refusing KV waits for the other.
  if (recorded.value) await writeQuarantine(id, deps, signal);

  if (needsRead(job)) {
    let isRead = false;
    const onRead = (byRead: Touched) => {
      isRead = true;
      touched = byRead;
      // A note waits for this job to add its keys, which a job without triggers does not do.
      if (relevantJob().triggers.length > 0) queue.note(triggersNow());
    };
    const read = await readClient(id, job, directory, onRead, deps, signal).catch(async (error: unknown) => {
      await settleClientAcl(id, deps, signal);
      throw error;
    });
    if (read === 'waits') {
      // A client that was read may lose already what the read does not show.
      if (isRead) {
        await queue.add(triggersNow());
        await closeLogins(id, job, deps, signal, evidenceFor(job));
      } else await settleClientAcl(id, deps, signal);
      return { kind: 'retry', afterMs: ORDER_RETRY_MS };
    }
    if (read === 'closed') {
      await close();
      await reconcileClientAcl(id, job, deps, signal);
      return { kind: 'retry', afterMs: world.isUnreadable(id) ? UNREADABLE_RETRY_MS : ORDER_RETRY_MS };
    }
  }
  const current = relevantJob();
  const others = othersTouched(touched, id, job);
  if (current.triggers.length === 0) {
    await queue.add(others);
    return { kind: 'done' };
  }
  await followRename(id, known, current, deps);

  // A loss closes first, so that no problem with a claim or with Consul's ACL delays it. A gain opens last: when an
  // intention opens, its client may log in.
  const gains = isAclActive(deps) && isOpen(id, deps) && !loses();
  if (!gains) await queue.add(triggersNow());
  // They may be thousands, and gain at most.
  await queue.add(others);
  if (gains) deps.acl.opening.add(clientText(id));
  const [claims, acl] = [
    await settled(() => settleClaims(id, causeOf(current), deps, signal)),
    await settled(() => reconcileClientAcl(id, current, deps, signal, evidenceFor(current))),
  ];
  deps.acl.opening.delete(clientText(id));
  const claimsChanged = claims.status === 'fulfilled' && claims.value;
  if (gains || claimsChanged) await queue.add(triggersNow());
  if (claims.status === 'rejected') throw claims.reason;
  if (acl.status === 'rejected') throw acl.reason;
  return acl.value;
}

/** A client outside the selection keeps what it has. What an earlier selection held or left unsettled is ended. */
async function leaveClient(
  id: ClientId,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const key = formatKey(clientKey(id.provider, id.clientId));
  await settleLeftDecisions(id, deps);
  await settleClientAcl(id, deps, signal);
  await recordHolds(key, await deps.journal.read(key), [], causeOf(job), deps);
  return { kind: 'done' };
}

/** A failure is tried again with the job: it must not keep the directory from being read for a new secret. */
async function closeLogins(
  id: ClientId,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
  evidence = evidenceOf(job),
): Promise<void> {
  await reconcileClientAcl(id, job, deps, signal, evidence).catch((error: unknown) => {
    const fields = { ...id, error: messageOf(error) };
    deps.logger.warn(
      fields,
      'the ACL objects of a client that loses its access are not closed yet; scopemesh tries again',
    );
  });
}

/** Triggers for the other clients that name a service which this client names, or named before. */
function othersTouched({ clients }: Touched, id: ClientId, job: Job): readonly Trigger[] {
  const cause = { ...causeOf(job), kind: 'full-read' as const };
  return clients
    .filter((each) => clientText(each) !== clientText(id))
    .map((each) => ({ key: clientKey(each.provider, each.clientId), cause }));
}

/** Whether the client is known and enabled, and nothing blocks it. */
function isOpen(id: ClientId, { world }: ReconcilerDeps): boolean {
  const isBlocked = world.clientBlock(id) !== undefined;
  return world.hasDirectory(id.provider) && !isBlocked && world.client(id)?.enabled === true;
}
