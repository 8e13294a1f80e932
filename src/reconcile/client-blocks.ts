import type { ErrorCode } from '../errors.js';
import type { OAuthClient } from '../model/client.js';
import type { Job } from '../model/trigger.js';
import { clientName } from '../plan/acl/object-names.js';
import { isBeyondLimit } from '../plan/guards/revocation-limit.js';
import { isNewer, newest, newestCompromise, parseStored, type StoredBlock } from '../plan/stored-block.js';
import { type ClientId, clientText } from '../plan/world.js';
import { budgetOf } from '../state/fleet.js';
import { aclBudget } from './acl/acl-budget.js';
import type { ReconcilerDeps } from './deps.js';

/** How long a directory may be unreadable before the client that an order names is closed without its word. */
const UNCONFIRMED_AFTER_MS = 5_000;

const FACT = 'orders/closures';

/**
 * Carries out the orders that need no read: a compromised client is quarantined at once, and stays so over restarts
 * until its secret is seen rotated or a person releases it. An order stays with its job until the directory could be
 * read: what it said before the release it says no more.
 */
export async function takeOrders(id: ClientId, job: Job, deps: ReconcilerDeps): Promise<void> {
  const order = newestCompromise(job);
  if (order === undefined) return;
  let isNew = false;
  await changeStored(id, deps, (known) => {
    if (known?.closure === 'Released' && !isNewer(order, known)) return known;
    isNew = deps.world.clientBlock(id) !== 'ClientQuarantined';
    // In force at once; in memory again and again, because the durable part may have failed the last time.
    deps.world.setClientBlock(id, 'ClientQuarantined');
    return {
      provider: id.provider,
      clientId: id.clientId,
      closure: 'ClientQuarantined',
      at: newest([order.at, known?.at]),
      receivedAt: newest([order.receivedAt, known?.receivedAt]),
    };
  });
  if (isNew) {
    deps.logger.warn(
      { provider: id.provider, clientId: id.clientId, at: order.at },
      'client quarantined: its secret is compromised',
    );
  }
}

/**
 * Closes one client whose disabling or deletion was ordered while its directory has not answered for 5 s. Within the
 * limit of the mass guard: beyond it nothing is closed this way and it is said. True if the client is closed now.
 */
export async function blockUnconfirmed(
  id: ClientId,
  job: Job,
  code: ErrorCode,
  deps: ReconcilerDeps,
): Promise<boolean> {
  const orders = job.triggers.flatMap(({ order }) =>
    order?.kind === 'client-disabled' || order?.kind === 'client-deleted' ? [order] : [],
  );
  const oldest = Math.min(...orders.map((order) => Date.parse(order.cause.receivedAt)));
  const now = deps.clock.now();
  // An order from the future is one from before the clock was set back: how long it has waited cannot be told.
  if (orders.length === 0 || Math.abs(now - oldest) < UNCONFIRMED_AFTER_MS) return false;
  if (deps.world.clientBlock(id) !== undefined) return true;
  const acl = aclBudget(deps, now);
  const existing = deps.acl.cache.of(clientName(deps.world.mapping.owner, id));
  const edges = deps.world.owned.countOf(id) + (existing.authMethod === undefined ? 0 : 1);
  const budget = budgetOf(deps.world, deps.window, now, edges, { owned: acl.owned, planned: 0 });
  if (isBeyondLimit(budget)) {
    const { waitingOrders } = deps.world;
    if (!waitingOrders.has(clientText(id)))
      deps.logger.error(
        { provider: id.provider, clientId: id.clientId, used: budget.used, edges, code },
        'an ordered revocation waits: the directory cannot be read and the mass guard allows no more removals without its word',
      );
    waitingOrders.add(clientText(id));
    return false;
  }
  deps.window.addRemovals(edges, now);
  await deps.window.store(deps.keyValues);
  deps.world.setClientBlock(id, 'RevocationUnconfirmed');
  deps.logger.warn(
    { provider: id.provider, clientId: id.clientId, code },
    'client closed by an order while its directory cannot be read',
  );
  return true;
}

/** Puts the quarantines of earlier runs into the world. */
export async function restoreClientBlocks(deps: Pick<ReconcilerDeps, 'keyValues' | 'world'>): Promise<void> {
  for (const each of parseStored(await deps.keyValues.get(FACT)))
    if (each.closure === 'ClientQuarantined') deps.world.setClientBlock(each, each.closure);
}

/** Ends the quarantine of a client whose secret is seen to be newer than the order that said it was compromised. */
export async function releaseIfRotated(
  id: ClientId,
  client: OAuthClient | undefined,
  deps: ReconcilerDeps,
): Promise<void> {
  if (client?.secretCreatedAt === undefined || deps.world.clientBlock(id) !== 'ClientQuarantined') return;
  const stored = parseStored(await deps.keyValues.get(FACT)).find(
    (each) => clientText(each) === clientText(id),
  );
  if (stored !== undefined && Date.parse(client.secretCreatedAt) > Date.parse(stored.at))
    await releaseQuarantine(id, deps);
}

/** Ends a quarantine (a person's word, or the secret seen rotated). False if there was none. */
export async function releaseQuarantine(
  id: ClientId,
  deps: Pick<ReconcilerDeps, 'world' | 'keyValues' | 'logger'>,
): Promise<boolean> {
  if (deps.world.clientBlock(id) !== 'ClientQuarantined') return false;
  await changeStored(id, deps, (known) => {
    deps.world.setClientBlock(id, undefined);
    return known && { ...known, closure: 'Released' };
  });
  deps.logger.info({ provider: id.provider, clientId: id.clientId }, 'quarantine ended');
  return true;
}

/** One change after the other: jobs of several clients run at once, and each quarantine must outlive a restart. */
async function changeStored(
  id: ClientId,
  deps: Pick<ReconcilerDeps, 'keyValues' | 'world'>,
  change: (known: StoredBlock | undefined) => StoredBlock | undefined,
): Promise<void> {
  await deps.world.clientBlockMutex.run(async () => {
    const all = parseStored(await deps.keyValues.get(FACT));
    const known = all.find((each) => clientText(each) === clientText(id));
    const changed = change(known);
    if (changed === known) return;
    const others = all.filter((each) => each !== known);
    await deps.keyValues.set(FACT, JSON.stringify([...others, ...(changed === undefined ? [] : [changed])]));
  });
}
