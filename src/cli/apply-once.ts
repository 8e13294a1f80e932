import { isAclSubject } from '../acl/apply/acl-draft.js';
import { isAclActive } from '../acl/apply/acl-state.js';
import { type ClientAclResult, reconcileClientAcl } from '../acl/job/client-acl.js';
import { reconcilePeople } from '../acl/job/people.js';
import { removeLeft } from '../acl/job/remove-left.js';
import { messageOf } from '../errors.js';
import type { Cause } from '../model/cause.js';
import { clientKey, directoryKey, formatKey, type Key, parseKey, providerKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { claimChangeText } from '../plan/claim-changes.js';
import { type DestinationKey, destinationsOf, losingNames } from '../plan/destinations-of-plan.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { WriteLimit } from '../queue/write-limit.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { reconcileDestination } from '../reconcile/destination.js';
import type { FleetPlan } from '../reconcile/fleet-plan.js';
import { providerOfChange } from '../reconcile/jwt-provider-plans.js';
import { reconcileJwtProvider } from '../reconcile/jwt-providers.js';
import { settleClaims } from '../reconcile/settle-claims.js';
import { reportUnreadable } from '../reconcile/unreadable.js';
import { clientsOf } from '../state/client-claims.js';

/** A key that could not be applied, and why. */
export interface Failure {
  readonly key: string;
  readonly error: string;
}

const KEYS_AWAITED =
  "Consul waits for the identity provider's keys; see that its servers can fetch them, and apply again";

const KEEPS_CHANGING = 'its plan changed while it was applied; run apply again';

const STORE_LOW =
  'the store has too little space, so only revocations were made; free some space, and apply again';

/** How many keys are applied at once. */
export type ApplyLimit = Pick<WriteLimit, 'forEach' | 'failed'>;

/** A destination that another writer keeps changing is given up after so many plans. */
const MAX_TRIES = 20;
/** A key whose plan changes before each of its writes is given up after so many. */
const MAX_STALE = 5;
const STALE_RETRY_MS = 20;

/**
 * Applies a plan once, in the same way as the daemon's jobs, many keys at once: claims first, then the destinations that
 * lose access, then ACL objects, then the destinations that only gain. A key that fails does not stop the others. Of the
 * claims only those of the plan are written: a person has seen no others.
 * `progress` is called after each key.
 */
export async function applyOnce(
  plan: FleetPlan,
  cause: Cause,
  deps: ReconcilerDeps,
  limit: ApplyLimit,
  progress: (done: number, all: number) => void,
  signal: AbortSignal,
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  const clients = clientsOf(deps.world, deps.clock.now());
  const destinations = destinationsOf(plan);
  const names = losingNames(plan);
  const losing = destinations.filter(({ service }) => names.has(service));
  const others = destinations.filter(({ service }) => !names.has(service));
  const shown = new Set(plan.claims.map(claimChangeText));
  const { people } = plan.acl;
  const logins = [...plan.acl.clients, ...(await othersHeld(plan.acl.clients, deps))];
  // The jwt-provider of a provider is written before the intentions that need it, and removed after them.
  const users = new Set(plan.jwtProviders.flatMap((change) => providerOfChange(change) ?? []));
  const directories = deps.world.mapping.providers.filter((name) => deps.world.hasDirectory(name));
  const jobs = clients.length + logins.length + people.length + destinations.length + directories.length;
  const all = jobs + 1 + 2 * users.size;
  let done = 0;
  const attempt = async (key: string, work: () => Promise<unknown>) => {
    signal.throwIfAborted();
    try {
      await work();
    } catch (error) {
      if (signal.aborted) throw error;
      limit.failed(error);
      failures.push({ key, error: messageOf(error) });
    }
    progress(++done, all);
  };
  const jobOf = (key: Key): Job => ({ key, triggers: [{ key, cause }], attempts: 0 });
  const run = (key: Key, work: (job: Job) => Promise<unknown>) =>
    attempt(formatKey(key), () => work(jobOf(key)));
  const applyJwtProviders = async () => {
    for (const name of users)
      await attempt(`jwt-provider of ${name}`, async () => {
        const key = providerKey(name);
        await untilPlanned(key, deps, signal, async (noting) => {
          const refusal = await reconcileJwtProvider(name, jobOf(key), noting, signal);
          if (refusal !== undefined) throw refusal;
          return { kind: 'done' };
        });
      });
  };
  const applyDestinations = (keys: readonly DestinationKey[]) =>
    limit.forEach(keys, (key) => run(key, (job) => applyDestination(key, job, deps, signal)));

  await limit.forEach(clients, (client) =>
    run(clientKey(client.provider, client.clientId), () =>
      settleClaims(client, cause, deps, signal, (change) => shown.has(claimChangeText(change))),
    ),
  );
  await applyJwtProviders();
  // Losses close first. Gains open last, when the client may log in.
  await applyDestinations(losing);
  await limit.forEach(logins, (client) =>
    run(clientKey(client.provider, client.clientId), (job) =>
      untilPlanned(job.key, deps, signal, (noting) => reconcileClientAcl(client, job, noting, signal)),
    ),
  );
  for (const name of people) {
    const key = { kind: 'provider', name } as const;
    await run(key, (job) =>
      untilPlanned(key, deps, signal, (noting) =>
        reconcilePeople(key, job, noting, signal, Number.POSITIVE_INFINITY),
      ),
    );
  }
  await applyDestinations(others);
  // Policies that nothing links once everything else is applied.
  await attempt('acl', async () => {
    if (!isAclActive(deps)) return;
    const { refusals, isStale } = await removeLeft([], cause, deps, signal);
    if (refusals[0] !== undefined) throw refusals[0];
    if (isStale) throw new Error(KEEPS_CHANGING);
  });
  await applyJwtProviders();
  for (const name of directories)
    await attempt(formatKey(directoryKey(name)), () => reportUnreadable(name, cause, deps));
  if (deps.space.isLow()) failures.push({ key: 'state.directory', error: STORE_LOW });
  return failures;
}

/** Other clients whose ACL objects are held. No plan has an unknown one that no Description names. */
async function othersHeld(
  planned: readonly ClientId[],
  { journal }: ReconcilerDeps,
): Promise<readonly ClientId[]> {
  const others = new Map<string, ClientId>();
  for (const hold of (await journal.overview()).holds) {
    const key = parseKey(hold.key);
    if (key?.kind !== 'client' || key.by !== 'clientId' || !isAclSubject(hold.subject)) continue;
    const id = { provider: key.provider, clientId: key.value };
    others.set(clientText(id), id);
  }
  for (const id of planned) others.delete(clientText(id));
  return [...others.values()];
}

/**
 * Runs a job again while its plan changes before the write. Such a job of a client says so; that of a provider asks the queue
 * for its own key, which no daemon runs here.
 */
async function untilPlanned(
  key: Key,
  deps: ReconcilerDeps,
  signal: AbortSignal,
  work: (noting: ReconcilerDeps) => Promise<ClientAclResult>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    let isAsked = false;
    const add: ReconcilerDeps['queue']['add'] = async (triggers) => {
      isAsked ||= triggers.some((each) => formatKey(each.key) === formatKey(key));
      await deps.queue.add(triggers);
    };
    const result = await work({ ...deps, queue: { ...deps.queue, add } });
    const isStale = isAsked || result.isStale === true;
    if (!isStale && result.kind === 'retry') throw new Error(KEYS_AWAITED);
    if (!isStale) return;
    if (tries === MAX_STALE) throw new Error(KEEPS_CHANGING);
    await deps.clock.sleep(STALE_RETRY_MS, signal);
  }
}

async function applyDestination(
  key: DestinationKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const result = await reconcileDestination(key, job, deps, signal);
    if (deps.world.userTokens.waiting.has(formatKey(key)))
      throw new Error('its jwt-provider does not exist, so access that needs it stays closed');
    if (result.kind === 'done') return;
    if (tries === MAX_TRIES) throw new Error('another writer keeps changing this entry; try again later');
    await deps.clock.sleep(result.afterMs, signal);
  }
}
