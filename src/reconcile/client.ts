import { isAclSubject } from '../apply/acl/acl-draft.js';
import { isAclActive } from '../apply/acl/acl-state.js';
import { causeOf } from '../apply/decision-drafts.js';
import { ClientUnreadable, messageOf, SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientKey, formatKey, type Key } from '../model/key.js';
import type { CauseKind, Evidence, Job } from '../model/trigger.js';
import { planClient } from '../plan/plan-client.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { NOTHING_TOUCHED, type Touched } from '../state/touched.js';
import { reconcileClientAcl } from './acl/client-acl.js';
import { settleClientAcl } from './acl/read-client-acl.js';
import { writeClaims } from './claim-records.js';
import { closeUnconfirmed, releaseIfRotated, takeOrders } from './closures.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { evidenceOf, fanOut } from './fan-out.js';
import { tellHolds } from './holds.js';
import { settleClaimLeftovers } from './leftovers.js';
import { tellUnreadable } from './unreadable.js';

type ClientKey = Extract<Key, { kind: 'client' }>;

/** While a directory cannot be read and an order waits, it is asked again this often. */
const ORDER_RETRY_MS = 1_000;
/** While a client that an order closed cannot be read: until then the order must outlive a restart. */
const UNREADABLE_RETRY_MS = 60_000;

/** Reads one client anew and sends every destination that it reaches, or reached, to be planned. */
export async function reconcileClient(
  key: ClientKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const directory = deps.directories.get(key.provider);
  // A provider that was taken out of the configuration: what it opened is settled by the sweep, but for its logins.
  if (directory === undefined) {
    if (key.by !== 'clientId') return { kind: 'done' };
    return reconcileClientAcl({ provider: key.provider, clientId: key.value }, job, deps, signal);
  }
  if (key.by !== 'clientId') return resolveReference(key, job, directory, deps, signal);

  const id: ClientId = { provider: key.provider, clientId: key.value };
  const known = deps.world.client(id);
  const before = deps.world.destinationsOf(id, deps.clock.now());
  let touched = NOTHING_TOUCHED;
  const loses = () => touched.losing.has(clientText(id));
  // Told before the closure is in the world, so that a job queued earlier that sees it knows who ordered it.
  if (job.triggers.some(({ order }) => order?.kind === 'secret-compromised'))
    deps.queue.note(fanOut(before, job, [], true, id));
  await takeOrders(id, job, deps);
  // A quarantine needs no word of the directory, and does not wait for one.
  if (hasOrder(job) && deps.world.closure(id) !== undefined) {
    await deps.queue.add(fanOut(before, job, [], true, id));
    await reconcileClientAcl(id, job, deps, signal).catch((error: unknown) => {
      // Tried again below, and with the job: a directory that tells of a new secret is heard all the same.
      deps.logger.warn(
        { ...id, error: messageOf(error) },
        'ACL objects of a quarantined client not closed yet',
      );
    });
  }
  const heard = () => heardOf(job, known, deps.world.client(id));
  const triggersNow = () => {
    const now = heard();
    // Soon after a start an event names a client by its internal id alone, and only this read shows whose that is.
    const evidence = withClientId(evidenceOf(now), id, known ?? deps.world.client(id));
    const after = deps.world.destinationsOf(id, deps.clock.now());
    // A recheck comes long after the event: what it does not find changed has no haste.
    const urgent = now.triggers.some((trigger) => trigger.urgent && !trigger.isRecheck) || loses();
    return fanOut([...before, ...after], now, evidence, urgent, id);
  };
  if (needsRead(job)) {
    const tell = (byRead: Touched) => {
      touched = byRead;
      // Whoever is told waits for the job, and a vain one sends none.
      if (heard().triggers.length === 0) return;
      deps.queue.note(triggersNow());
    };
    const answer = await readClient(id, job, directory, tell, deps, signal).catch(async (error: unknown) => {
      await settleClientAcl(id, deps, signal);
      throw error;
    });
    if (answer !== 'read') {
      if (answer === 'closed') {
        await deps.queue.add(fanOut(before, job, [], true, id));
        await reconcileClientAcl(id, job, deps, signal);
      } else await settleClientAcl(id, deps, signal);
      const isClosed = answer === 'closed' && deps.world.isUnreadable(id);
      return { kind: 'retry', afterMs: isClosed ? UNREADABLE_RETRY_MS : ORDER_RETRY_MS };
    }
  }
  const news = heard();
  if (news.triggers.length === 0) return { kind: 'done' };
  await followRename(id, known, news, deps);
  // What a loss closes goes first, so that nothing that is wrong with a claim or in Consul's ACL delays it. What is
  // gained goes last: when an intention opens, its client may log in.
  const gains = isAclActive(deps) && isOpen(id, deps) && !loses();
  if (gains) deps.acl.opening.add(clientText(id));
  else await deps.queue.add(triggersNow());
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<unknown>) => {
    await work().catch((error: unknown) => {
      failures.push(error);
    });
  };
  let claimsChanged = false;
  await attempt(async () => {
    claimsChanged = await settleClaims(id, news, deps, signal);
  });
  let result: JobResult = { kind: 'done' };
  await attempt(async () => {
    // As for the destinations, an event may have named the client by its internal id.
    const evidence = withClientId(evidenceOf(news), id, known ?? deps.world.client(id));
    result = await reconcileClientAcl(id, news, deps, signal, evidence);
  });
  deps.acl.opening.delete(clientText(id));
  if (gains || claimsChanged) await deps.queue.add(triggersNow());
  if (failures.length > 0) throw failures[0];
  return result;
}

/** Whether the client is known, and nothing closes it. */
function isOpen(id: ClientId, { world }: ReconcilerDeps): boolean {
  return (
    world.hasDirectory(id.provider) && world.closure(id) === undefined && world.client(id)?.enabled === true
  );
}

/**
 * Takes in what the directory says of the client. `closed` and `waits`: it does not say, and an order to close the
 * client is to be tried again soon, with the client closed meanwhile or not.
 */
async function readClient(
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
      await tellUnreadable(id.provider, causeOf(job), deps, id);
      if (!ordersToClose(job)) return 'read';
    } else countFailure(id.provider, error, deps);
    if (!(error instanceof SyncError) || !hasOrder(job)) throw error;
    return (await closeUnconfirmed(id, job, error.code, deps)) ? 'closed' : 'waits';
  }
  const wasUnreadable = world.isUnreadable(id);
  const touched = world.putClient(id, client, read);
  tell(touched);
  if (wasUnreadable) await tellUnreadable(id.provider, causeOf(job), deps, id);
  await releaseIfRotated(id, client, deps);
  // Before the first complete read nothing follows from a single one; what an order names must not wait for that.
  if (client?.enabled !== true && !world.hasDirectory(id.provider) && ordersToClose(job)) {
    return (await closeUnconfirmed(id, job, 'ERR_DIRECTORY_INCOMPLETE', deps)) ? 'closed' : 'waits';
  }
  world.reopen(id, read);
  return 'read';
}

/**
 * The job without the rechecks that found what is known already, and know of no removal that the mass guard may hold:
 * what else is done now is not their event's doing.
 */
function heardOf(job: Job, known: OAuthClient | undefined, now: OAuthClient | undefined): Job {
  // What a read does not change stays the same object.
  if (known === undefined || known !== now) return job;
  const triggers = job.triggers.filter(({ isRecheck, evidence = [] }) => !isRecheck || evidence.length > 0);
  return { ...job, triggers };
}

/** A client that is gone under its name may have another one now: its id leads there. */
async function followRename(
  id: ClientId,
  known: OAuthClient | undefined,
  job: Job,
  deps: ReconcilerDeps,
): Promise<void> {
  if (known?.internalId === undefined || deps.world.client(id) !== undefined) return;
  const key: Key = { kind: 'client', provider: id.provider, by: 'internalId', value: known.internalId };
  await deps.queue.add(job.triggers.map((trigger) => ({ ...trigger, key })));
}

/** A client named by another id than its client id: find that, and let the client's own key do the work. */
async function resolveReference(
  key: ClientKey,
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

/**
 * Records or takes back a claim (`claims: first`) and tells what is held of the claims on this client. True if what
 * the claims are worth may have changed by it.
 */
async function settleClaims(
  id: ClientId,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { world, journal } = deps;
  const text = formatKey(clientKey(id.provider, id.clientId));
  const record = await journal.read(text);
  await settleClaimLeftovers(text, record, deps, signal);
  const now = deps.clock.now();
  const plan = planClient(id, world.view(now), world.claimsOn(id, now), world.mapping);
  await tellHolds(text, record, plan.holds, causeOf(job), deps, (subject) => !isAclSubject(subject));
  return writeClaims(text, id, plan, causeOf(job), deps, signal);
}

/** Of what happened elsewhere than at the IdP, and of a complete read, which has just said what there is. */
const KNOWN_CAUSES: readonly CauseKind[] = ['consul-watch', 'resync', 'config', 'full-read'];

/**
 * Whether the IdP is asked for this one client. A claim costs it no request: what the last complete read says holds, and
 * before the first one nothing follows.
 */
function needsRead({ triggers }: Job): boolean {
  return triggers.some(({ cause }) => !KNOWN_CAUSES.includes(cause.kind));
}

/** Whether an order wants the client closed although its directory may not be readable. */
function ordersToClose(job: Job): boolean {
  return job.triggers.some(
    ({ order }) => order?.kind === 'client-disabled' || order?.kind === 'client-deleted',
  );
}

/** Whether an order is to be carried out; one about a session asks nothing of the client. */
function hasOrder(job: Job): boolean {
  return job.triggers.some(({ order }) => order !== undefined && order.kind !== 'session-revoked');
}

/** Evidence that names the client by its internal id names it by its client id from here on. */
function withClientId(
  evidence: readonly Evidence[],
  id: ClientId,
  known: OAuthClient | undefined,
): readonly Evidence[] {
  const internalId = known?.internalId;
  return evidence.map((each) =>
    each.provider === id.provider &&
    internalId !== undefined &&
    (each.internalIds?.includes(internalId) ?? false)
      ? { ...each, clients: [...new Set([...(each.clients ?? []), id.clientId])] }
      : each,
  );
}
