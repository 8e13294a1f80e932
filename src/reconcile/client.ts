import { isAclActive } from '../apply/acl/acl-state.js';
import { causeOf } from '../apply/decision-drafts.js';
import { messageOf } from '../errors.js';
import type { OAuthClient } from '../model/client.js';
import type { Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { hasOrder, needsRead, withClientId, withoutSettledRechecks } from '../plan/client-job.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { NOTHING_TOUCHED, type Touched } from '../state/touched.js';
import { reconcileClientAcl } from './acl/client-acl.js';
import { settleClientAcl } from './acl/read-client-acl.js';
import { settleClaims } from './claims.js';
import { takeOrders } from './client-blocks.js';
import type { ReconcilerDeps } from './deps.js';
import { evidenceOf, fanOut } from './fan-out.js';
import { readClient, resolveReference } from './read-client.js';

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
  if (hasOrder(job) && deps.world.clientBlock(id) !== undefined) {
    await deps.queue.add(fanOut(before, job, [], true, id));
    await reconcileClientAcl(id, job, deps, signal).catch((error: unknown) => {
      // Tried again below, and with the job: a directory that tells of a new secret is heard all the same.
      deps.logger.warn(
        { ...id, error: messageOf(error) },
        'ACL objects of a quarantined client not closed yet',
      );
    });
  }
  const heard = () => withoutSettledRechecks(job, known, deps.world.client(id));
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
    claimsChanged = await settleClaims(id, causeOf(news), deps, signal);
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
    world.hasDirectory(id.provider) &&
    world.clientBlock(id) === undefined &&
    world.client(id)?.enabled === true
  );
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
