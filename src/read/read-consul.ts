import { isoInstant } from '../clock.js';
import type { FollowUps } from '../queue/follow-ups.js';
import { applyCatalog, applyClaimRecords, applyEntries } from '../state/observe-consul.js';
import type { ReadDeps } from './deps.js';
import { readUserTokenFacts } from './user-token-facts.js';

type Deps = Omit<ReadDeps, 'acl'>;

/**
 * Reads all of Consul into the world, and queues nothing: the caller plans everything. Throws, and changes nothing, if a part
 * is incomplete. `restored`: what must be in the world before.
 */
export async function readConsul(
  deps: Deps,
  signal: AbortSignal,
  restored: Promise<void> = Promise.resolve(),
): Promise<void> {
  const { world } = deps;
  const { entries, catalog, records, read, now } = await readLists(deps, signal, restored);
  world.putClaimRecords(records, read);
  // Before the entries, which would first give every service the status of a world without a catalog.
  world.putCatalog(catalog, now, read);
  world.putEntries(entries, now, read);
}

/** The same, and queues what differs from before. */
export async function readDifferences(
  deps: Deps & { readonly queue: Pick<FollowUps, 'add'> },
  signal: AbortSignal,
): Promise<void> {
  const cause = { kind: 'resync' as const, receivedAt: isoInstant(deps.clock) };
  const { world } = deps;
  const { entries, catalog, records, read, now } = await readLists(deps, signal);
  const triggers = [
    ...applyClaimRecords(world, records, cause, read),
    ...applyEntries(world, entries, now, cause, read),
    ...applyCatalog(world, catalog, now, cause, read),
  ];
  if (triggers.length > 0) await deps.queue.add(triggers);
}

async function readLists(deps: Deps, signal: AbortSignal, restored: Promise<void> = Promise.resolve()) {
  const { world, consul } = deps;
  const read = world.beginRead();
  const [entries, catalog, records] = await Promise.all([
    consul.intentions.list(signal),
    consul.readCatalog(signal),
    world.mapping.claims === 'first' ? consul.claims.list(signal) : [],
    restored.then(() => readUserTokenFacts(deps, signal)),
  ]);
  return { entries, catalog, records, read, now: deps.clock.now() };
}
