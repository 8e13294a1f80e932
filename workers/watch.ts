import { isAclActive } from '../src/acl/apply/acl-state.js';
import { observeAcl } from '../src/acl/job/observe-acl.js';
import { isoInstant } from '../src/clock.js';
import type { WatchAges } from '../src/daemon/watch-ages.js';
import { type ReadPause, watchTables, watchWhile } from '../src/daemon/watch-table.js';
import type { Trigger } from '../src/model/trigger.js';
import { isBulk } from '../src/read/read-entry.js';
import { hasJwtProviders } from '../src/read/user-token-facts.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { observeJwtProviders } from '../src/reconcile/jwt-provider-plans.js';
import { watchGraces } from '../src/reconcile/watch-graces.js';
import { applyCatalog, applyClaimRecords, applyEntries } from '../src/state/observe-consul.js';

/**
 * Consul needs about 45 ms to hash and to write 1 MB of intentions, while scopemesh writes thousands. A change by somebody
 * else must not wait longer behind these, however long the list is.
 */
const INTENTIONS_REST: ReadPause = { times: 8, maxMs: 2_000 };
/** One registration that changes all the time must not take all the time of this process, and of Consul. */
const CATALOG_REST: ReadPause = { times: 1, maxMs: 5_000 };
/** Each client that claims a service for the first time changes the records. */
const CLAIMS_REST: ReadPause = { times: 2, maxMs: 5_000 };
/** A read covers every auth method. With thousands of them, a read must not follow each of a thousand writes. */
const ACL_REST: ReadPause = { times: 2, maxMs: 5_000 };

/** Turns changes in Consul into triggers, by blocking queries. A change that a watch misses is found by the next sweep. */
export async function runWatch(
  deps: ReconcilerDeps,
  claimGraceMs: number,
  ages: WatchAges,
  signal: AbortSignal,
): Promise<void> {
  const onIntentions = async () => {
    const read = deps.world.beginRead();
    const entries = await deps.consul.intentions.list(signal);
    await add(applyEntries(deps.world, entries, deps.clock.now(), causeOf(deps), read), deps);
  };
  const onCatalog = async () => {
    const read = deps.world.beginRead();
    const catalog = await deps.consul.readCatalog(signal);
    await add(applyCatalog(deps.world, catalog, deps.clock.now(), causeOf(deps), read), deps);
  };
  const onClaims = async () => {
    const read = deps.world.beginRead();
    const records = await deps.consul.claims.list(signal);
    await add(applyClaimRecords(deps.world, records, causeOf(deps), read), deps);
  };
  const onAcl = async (stop: AbortSignal) => {
    await add(await observeAcl(deps, causeOf(deps), stop), deps);
  };
  const onJwtProviders = async (stop: AbortSignal) => {
    await add(await observeJwtProviders(deps, causeOf(deps), stop), deps);
  };
  let unshown = 0;
  const intentionsRest: ReadPause = {
    ...INTENTIONS_REST,
    // The list would show nothing but the index of our own writes, as long as there are more and more of them.
    goesOn: () => {
      const before = unshown;
      unshown = deps.world.unshownWrites();
      return isBulk(deps.world) && unshown > before;
    },
  };
  await Promise.all([
    watchTables(['intentions'], onIntentions, deps, ages, signal, intentionsRest),
    // One read covers services and protocols. Of two reads at once, the older one could come last.
    watchTables(['catalog', 'protocols'], onCatalog, deps, ages, signal, CATALOG_REST),
    ...(deps.world.mapping.claims === 'first'
      ? [watchTables(['claims'], onClaims, deps, ages, signal, CLAIMS_REST)]
      : []),
    watchWhile('acl', () => isAclActive(deps), onAcl, deps, ages, signal, ACL_REST),
    watchWhile('jwt-providers', () => hasJwtProviders(deps.world), onJwtProviders, deps, ages, signal),
    watchGraces(deps, claimGraceMs, () => causeOf(deps), signal),
  ]);
}

async function add(triggers: readonly Trigger[], deps: ReconcilerDeps): Promise<void> {
  if (triggers.length > 0) await deps.queue.add(triggers);
}

function causeOf(deps: ReconcilerDeps) {
  return { kind: 'consul-watch' as const, receivedAt: isoInstant(deps.clock) };
}
