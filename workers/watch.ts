import { isAclActive } from '../src/apply/acl/acl-state.js';
import type { WatchedTable } from '../src/consul/consul.js';
import { messageOf } from '../src/errors.js';
import type { Trigger } from '../src/model/trigger.js';
import { createNotifier } from '../src/notifier.js';
import type { ClaimStatus } from '../src/plan/claims.js';
import { observeAcl } from '../src/reconcile/acl/observe-acl.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { observeJwtProviders } from '../src/reconcile/jwt-provider-plans.js';
import { hasJwtProviders } from '../src/reconcile/user-token-facts.js';
import { Outage } from '../src/repeat.js';
import { applyCatalog, applyEntries, claimStatusTriggers } from '../src/state/observe-consul.js';
import type { WatchAges } from './watch-ages.js';

/** How often it is looked whether a service without instances has used up its grace; more often for a shorter grace. */
const GRACE_LOOK_MS = 1_000;
const SHORTEST_LOOK_MS = 50;
/** How often it is looked whether a table that few need is to be watched. */
const ACTIVITY_LOOK_MS = 1_000;
/** After a look at ACL objects, the next waits so many times as long as it took. */
const ACL_REST = 2;

/** Turns what changes in Consul into triggers, by blocking queries; missing one costs time until the next sweep, no more. */
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
    await add(
      claimStatusTriggers(deps.world, deps.world.putClaimRecords(records, read), causeOf(deps)),
      deps,
    );
  };
  const onAcl = async (stop: AbortSignal) => {
    const began = deps.clock.now();
    await add(await observeAcl(deps, causeOf(deps), stop), deps);
    // Every login method is read anew: with thousands of them a look must not follow each of a thousand writes.
    await deps.clock.sleep((deps.clock.now() - began) * ACL_REST, stop).catch(() => {});
  };
  const onJwtProviders = async (stop: AbortSignal) => {
    await add(await observeJwtProviders(deps, causeOf(deps), stop), deps);
  };
  await Promise.all([
    watch(['intentions'], onIntentions, deps, ages, signal),
    // One read shows services and protocols, and two at once could put the older one last.
    watch(['catalog', 'protocols'], onCatalog, deps, ages, signal),
    ...(deps.world.mapping.claims === 'first' ? [watch(['claims'], onClaims, deps, ages, signal)] : []),
    watchWhile('acl', () => isAclActive(deps), onAcl, deps, ages, signal),
    watchWhile('jwt-providers', () => hasJwtProviders(deps.world), onJwtProviders, deps, ages, signal),
    watchGraces(deps, claimGraceMs, signal),
  ]);
}

/** Watches tables that one look reads. */
async function watch(
  tables: readonly WatchedTable[],
  look: () => Promise<void>,
  deps: ReconcilerDeps,
  ages: WatchAges,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  const notifier = createNotifier();
  /** Something changed that has not been read since: until it is, what is known of the table grows older. */
  let isBehind = false;
  const changed = () => {
    isBehind = true;
    notifier.notify();
  };
  const looking = (async () => {
    while (!signal.aborted) {
      await notifier.wait(signal);
      if (signal.aborted) return;
      isBehind = false;
      try {
        await look();
        const lastedMs = outage.ends(deps.clock.now());
        if (lastedMs !== undefined) deps.logger.info({ tables, lastedMs }, 'Consul could be read again');
      } catch (error) {
        if (signal.aborted) return;
        if (outage.begins(deps.clock.now()))
          deps.logger.warn(
            { tables, error: messageOf(error) },
            'a change in Consul was seen but could not be read; it is tried again',
          );
        changed();
        await deps.clock.sleep(1_000, signal).catch(() => {});
      }
    }
  })();
  const watching = tables.map((table) => {
    const alive = () => {
      if (!isBehind) ages.alive(table);
    };
    return deps.consul.watch(table, { changed, alive }, signal);
  });
  await Promise.all([...watching, looking]);
}

/** While ACL objects are wanted or may be left; a reload can change that. */
/** Watches a table as long as anything is done with it. */
async function watchWhile(
  table: WatchedTable,
  isActive: () => boolean,
  look: (stop: AbortSignal) => Promise<void>,
  deps: ReconcilerDeps,
  ages: WatchAges,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (isActive()) {
      const end = new AbortController();
      const stop = AbortSignal.any([signal, end.signal]);
      const watching = watch([table], () => look(stop), deps, ages, stop);
      while (!signal.aborted && isActive()) await deps.clock.sleep(ACTIVITY_LOOK_MS, signal).catch(() => {});
      end.abort();
      await watching;
      ages.forget(table);
    } else await deps.clock.sleep(ACTIVITY_LOOK_MS, signal).catch(() => {});
  }
}

async function watchGraces(deps: ReconcilerDeps, claimGraceMs: number, signal: AbortSignal): Promise<void> {
  // A service that comes back and vanishes again must be seen to be gone between the two.
  const lookMs = Math.max(SHORTEST_LOOK_MS, Math.min(GRACE_LOOK_MS, claimGraceMs / 2));
  let waiting: readonly Trigger[] = [];
  while (!signal.aborted) {
    await deps.clock.sleep(lookMs, signal).catch(() => {});
    if (signal.aborted) return;
    const ended = deps.world.expireGraces(deps.clock.now());
    waiting = [...waiting, ...claimStatusTriggers(deps.world, ended, causeOf(deps), hasVanished)];
    try {
      await add(waiting, deps);
      waiting = [];
    } catch (error) {
      deps.logger.warn(
        { error: messageOf(error) },
        'the end of a grace could not be queued; it is tried again',
      );
    }
  }
}

/** Whatever else changes a standing has a job of its own, which knows the cause. */
function hasVanished(claimStatus: ClaimStatus | undefined): boolean {
  return claimStatus === undefined || (claimStatus.kind === 'none' && claimStatus.vanished);
}

async function add(triggers: readonly Trigger[], deps: ReconcilerDeps): Promise<void> {
  if (triggers.length > 0) await deps.queue.add(triggers);
}

function causeOf(deps: ReconcilerDeps) {
  return { kind: 'consul-watch' as const, receivedAt: new Date(deps.clock.now()).toISOString() };
}
