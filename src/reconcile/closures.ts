import type { ErrorCode } from '../errors.js';
import type { OAuthClient } from '../model/client.js';
import type { Job } from '../model/trigger.js';
import { clientName } from '../plan/acl/quote.js';
import { revocationLimit } from '../plan/guard.js';
import { type ClientId, type Closure, clientText } from '../plan/world.js';
import { aclBudget } from './acl/acl-budget.js';
import type { ReconcilerDeps } from './deps.js';
import { budgetOf } from './fleet.js';

/** How long a directory may be unreadable before the client that an order names is closed without its word. */
const UNCONFIRMED_AFTER_MS = 5_000;

const FACT = 'orders/closures';

interface StoredClosure extends ClientId {
  readonly closure: Closure;
  /** ISO 8601 instant of the order. */
  readonly at: string;
}

/**
 * Carries out the orders that need no read: a compromised client is quarantined at once, and stays so over restarts
 * until its secret is seen rotated or a person releases it.
 */
export async function takeOrders(id: ClientId, job: Job, deps: ReconcilerDeps): Promise<void> {
  const at = newestCompromise(job);
  if (at === undefined) return;
  const isNew = deps.world.closure(id) !== 'ClientQuarantined';
  // In force at once; in memory again and again, because the durable part may have failed the last time.
  deps.world.setClosure(id, 'ClientQuarantined');
  await store(deps, (all) => {
    const known = all.find((each) => clientText(each) === clientText(id));
    const newest = known === undefined || Date.parse(at) > Date.parse(known.at) ? at : known.at;
    return [
      ...all.filter((each) => each !== known),
      { provider: id.provider, clientId: id.clientId, closure: 'ClientQuarantined', at: newest },
    ];
  });
  if (isNew) {
    deps.logger.warn(
      { provider: id.provider, clientId: id.clientId, at },
      'client quarantined: its secret is compromised',
    );
  }
}

function newestCompromise(job: Job): string | undefined {
  return job.triggers
    .flatMap(({ order }) => (order?.kind === 'secret-compromised' ? [order.at] : []))
    .toSorted((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
}

/**
 * Closes one client whose disabling or deletion was ordered while its directory has not answered for 5 s. Within the
 * limit of the mass guard: beyond it nothing is closed this way and it is said. True if the client is closed now.
 */
export async function closeUnconfirmed(
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
  if (orders.length === 0 || now - oldest < UNCONFIRMED_AFTER_MS) return false;
  if (deps.world.closure(id) !== undefined) return true;
  const acl = aclBudget(deps, now);
  const standing = deps.acl.cache.of(clientName(deps.world.mapping.owner, id));
  const edges = deps.world.ownedEdgesOf(id) + (standing.authMethod === undefined ? 0 : 1);
  const budget = budgetOf(deps.world, deps.window, now, edges, { owned: acl.owned, wanted: 0 });
  if (budget.used + edges > revocationLimit(deps.world.mapping, budget.ownedAtStart)) {
    if (deps.world.isFirstWait(id))
      deps.logger.error(
        { provider: id.provider, clientId: id.clientId, used: budget.used, edges, code },
        'an ordered revocation waits: the directory cannot be read and the mass guard allows no more removals without its word',
      );
    return false;
  }
  deps.window.take(edges, now);
  await deps.window.store(deps.facts);
  deps.world.setClosure(id, 'RevocationUnconfirmed');
  deps.logger.warn(
    { provider: id.provider, clientId: id.clientId, code },
    'client closed by an order while its directory cannot be read',
  );
  return true;
}

/** Puts the quarantines of earlier runs into the world. */
export async function restoreClosures(deps: Pick<ReconcilerDeps, 'facts' | 'world'>): Promise<void> {
  for (const each of parseStored(await deps.facts.get(FACT))) deps.world.setClosure(each, each.closure);
}

/** Ends the quarantine of a client whose secret is seen to be newer than the order that said it was compromised. */
export async function releaseIfRotated(
  id: ClientId,
  client: OAuthClient | undefined,
  deps: ReconcilerDeps,
): Promise<void> {
  if (client?.secretCreatedAt === undefined || deps.world.closure(id) !== 'ClientQuarantined') return;
  const stored = parseStored(await deps.facts.get(FACT)).find((each) => clientText(each) === clientText(id));
  if (stored !== undefined && Date.parse(client.secretCreatedAt) > Date.parse(stored.at))
    await releaseQuarantine(id, deps);
}

/** Ends a quarantine (a person's word, or the secret seen rotated). False if there was none. */
export async function releaseQuarantine(
  id: ClientId,
  deps: Pick<ReconcilerDeps, 'world' | 'facts' | 'logger'>,
): Promise<boolean> {
  if (deps.world.closure(id) !== 'ClientQuarantined') return false;
  deps.world.setClosure(id, undefined);
  await store(deps, (all) => all.filter((each) => clientText(each) !== clientText(id)));
  deps.logger.info({ provider: id.provider, clientId: id.clientId }, 'quarantine ended');
  return true;
}

async function store(
  deps: Pick<ReconcilerDeps, 'facts' | 'world'>,
  change: (all: readonly StoredClosure[]) => readonly StoredClosure[],
): Promise<void> {
  // Jobs of several clients run at once, and each quarantine must outlive a restart.
  await deps.world.closureTurns.take(async () =>
    deps.facts.set(FACT, JSON.stringify(change(parseStored(await deps.facts.get(FACT))))),
  );
}

function parseStored(text: string | undefined): readonly StoredClosure[] {
  if (text === undefined) return [];
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return [];
    const { provider, clientId, closure, at }: Partial<Record<string, unknown>> = { ...each };
    if (typeof provider !== 'string' || typeof clientId !== 'string' || typeof at !== 'string') return [];
    return closure === 'ClientQuarantined' ? [{ provider, clientId, closure, at }] : [];
  });
}
