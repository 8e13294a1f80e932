import { aclBudget } from '../acl/job/acl-budget.js';
import type { ErrorCode } from '../errors.js';
import type { Job } from '../model/trigger.js';
import { isBeyondLimit } from '../plan/guards/revocation-limit.js';
import { clientName } from '../plan/object-names.js';
import { type ClientId, clientText } from '../plan/world.js';
import { budgetOf, NO_ACL } from '../state/fleet.js';
import type { CountedDeps } from './deps.js';

/** How long a directory may be unreadable before the client of an order is closed without a read. */
const UNCONFIRMED_AFTER_MS = 5_000;

/**
 * Closes the client of an order to disable or delete it, if its directory has not answered for 5 s. The mass guard limits
 * these removals: beyond its limit the order waits, and that is logged. True if the client is closed now.
 */
export async function blockUnconfirmed(
  id: ClientId,
  job: Job,
  code: ErrorCode,
  deps: CountedDeps,
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
  // What is under way counts as made. What plans only hold does not: an order does not wait for a person.
  const planned = edges + deps.window.underWay(now);
  const budget = budgetOf(deps.world, deps.window, now, () => planned, { ...NO_ACL, owned: acl.owned });
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
  await deps.window.addStored(edges, now, deps.keyValues);
  deps.world.setClientBlock(id, 'RevocationUnconfirmed');
  deps.logger.warn(
    { provider: id.provider, clientId: id.clientId, code },
    'client closed by an order while its directory cannot be read',
  );
  return true;
}
