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

/** How long a directory may be unreadable before the client of an order is closed without a read. */
const UNCONFIRMED_AFTER_MS = 5_000;

const FACT = 'orders/closures';

/**
 * Carries out the orders that need no read. A compromised client is quarantined at once, over restarts too, until its
 * secret is seen rotated or a person releases it. An order stays with its job until the directory could be read; an order
 * from before the release has no effect.
 */
export async function takeOrders(id: ClientId, job: Job, deps: ReconcilerDeps): Promise<void> {
  const order = newestCompromise(job);
  if (order === undefined) return;
  let isNew = false;
  await changeStored(id, deps, (known) => {
    if (known?.closure === 'Released' && !isNewer(order, known)) return known;
    isNew = deps.world.clientBlock(id) !== 'ClientQuarantined';
    // In memory at once, and at each run, because the durable part may have failed before.
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
 * Closes the client of an order to disable or delete it, if its directory has not answered for 5 s. The mass guard limits
 * these removals: beyond its limit the order waits, and that is logged. True if the client is closed now.
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
  // An order from the future is from before the clock was set back. How long it has waited is unknown.
  if (orders.length === 0 || Math.abs(now - oldest) < UNCONFIRMED_AFTER_MS) return false;
  if (deps.world.clientBlock(id) !== undefined) return true;
  const acl = aclBudget(deps, now);
  const existing = deps.acl.cache.of(clientName(deps.world.mapping.owner, id));
  const edges = deps.world.owned.countOf(id) + (existing.authMethod === undefined ? 0 : 1);
  const budget = budgetOf(deps.world, deps.window, now, () => edges, { owned: acl.owned, planned: 0 });
  if (isBeyondLimit(budget)) {
    const { waitingOrders } = deps.world;
    if (!waitingOrders.has(clientText(id)))
      deps.logger.error(
        { provider: id.provider, clientId: id.clientId, used: budget.used, edges, code },
        'an ordered revocation waits: the directory cannot be read and the mass guard allows no more removals without a read',
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

/** Restores the quarantines of earlier processes. */
export async function restoreClientBlocks(deps: Pick<ReconcilerDeps, 'keyValues' | 'world'>): Promise<void> {
  for (const each of parseStored(await deps.keyValues.get(FACT)))
    if (each.closure === 'ClientQuarantined') deps.world.setClientBlock(each, each.closure);
}

/** Ends the quarantine of a client whose secret is newer than the order about the compromised one. */
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

/** Ends a quarantine. False if there was none. */
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

/** One change at a time: several jobs run at once, and each quarantine must outlive a restart. */
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
