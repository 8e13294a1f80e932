import { SyncError } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientKey, formatKey, type Key } from '../model/key.js';
import type { Evidence, Job } from '../model/trigger.js';
import { planClient } from '../plan/plan-client.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { writeClaims } from './claim-records.js';
import { closeUnconfirmed, releaseIfRotated, takeOrders } from './closures.js';
import { causeOf } from './decide.js';
import type { ReconcilerDeps } from './deps.js';
import { evidenceOf, fanOut, lostSomething } from './fan-out.js';
import { tellHolds } from './holds.js';
import { settleClaimLeftovers } from './leftovers.js';

type ClientKey = Extract<Key, { kind: 'client' }>;

/** While a directory cannot be read and an order waits, it is asked again this often. */
const ORDER_RETRY_MS = 1_000;

/** Reads one client anew and sends every destination that it reaches, or reached, to be planned. */
export async function reconcileClient(
  key: ClientKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const directory = deps.directories.get(key.provider);
  // A provider that was taken out of the configuration: its jobs end, what it opened is settled by the sweep.
  if (directory === undefined) return { kind: 'done' };
  if (key.by !== 'clientId') return resolveReference(key, job, directory, deps, signal);

  const id: ClientId = { provider: key.provider, clientId: key.value };
  const known = deps.world.client(id);
  const before = deps.world.destinationsOf(id, deps.clock.now());
  await takeOrders(id, job, deps);
  // A quarantine needs no word of the directory, and does not wait for one.
  if (hasOrder(job) && deps.world.closure(id) !== undefined)
    await deps.queue.add(fanOut(before, job, [], true));
  if (needsRead(job, known)) {
    const read = deps.world.beginRead();
    let client: OAuthClient | undefined;
    try {
      client = await directory.read('clientId', key.value, signal);
    } catch (error) {
      if (!(error instanceof SyncError) || !(await closeUnconfirmed(id, job, error, deps))) {
        if (hasOrder(job) && error instanceof SyncError && error.retriable)
          return { kind: 'retry', afterMs: ORDER_RETRY_MS };
        throw error;
      }
      await deps.queue.add(fanOut(before, job, [], true));
      return { kind: 'retry', afterMs: ORDER_RETRY_MS };
    }
    deps.world.putClient(id, client, read);
    await releaseIfRotated(id, client, deps);
    if (deps.world.closure(id) === 'RevocationUnconfirmed') deps.world.setClosure(id, undefined);
  }
  await settleClaims(id, job, deps, signal);

  const after = deps.world.destinationsOf(id, deps.clock.now());
  const urgent =
    job.triggers.some((trigger) => trigger.urgent) || lostSomething(known, deps.world.client(id));
  await deps.queue.add(fanOut([...before, ...after], job, withClientId(evidenceOf(job), id, known), urgent));
  return { kind: 'done' };
}

/** A client named by another id than its client id: find that, and let the client's own key do the work. */
async function resolveReference(
  key: ClientKey,
  job: Job,
  directory: Directory,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const cached = key.by === 'internalId' ? deps.world.clientIdOf(key.provider, key.value) : undefined;
  const clientId = cached ?? (await directory.read(key.by, key.value, signal))?.clientId;
  // Unknown to the IdP and to us: it came and went between two reads, and nothing was ever opened for it.
  if (clientId === undefined) return { kind: 'done' };
  await deps.queue.add(
    job.triggers.map((trigger) => ({ ...trigger, key: clientKey(key.provider, clientId) })),
  );
  return { kind: 'done' };
}

/** Records or takes back a claim (`claims: first`) and tells what is held of the claims on this client. */
async function settleClaims(
  id: ClientId,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<void> {
  const now = deps.clock.now();
  const { world, journal } = deps;
  const plan = planClient(id, world.view(now), world.standings(now), world.mapping);
  const text = formatKey(clientKey(id.provider, id.clientId));
  const record = await journal.read(text);
  await settleClaimLeftovers(text, record, deps, signal);
  await tellHolds(text, record, plan.holds, causeOf(job), deps);
  await writeClaims(text, id, plan, causeOf(job), deps, signal);
}

/** What only Consul caused needs no new word of the IdP about a client that is known. */
function needsRead(job: Job, known: OAuthClient | undefined): boolean {
  return (
    known === undefined ||
    job.triggers.some(({ cause }) => cause.kind !== 'consul-watch' && cause.kind !== 'resync')
  );
}

function hasOrder(job: Job): boolean {
  return job.triggers.some((trigger) => trigger.order !== undefined);
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
