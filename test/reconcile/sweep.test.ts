import { expect, test, vi } from 'vitest';
import { formatKey, type Key } from '../../src/model/key.js';
import { sweep } from '../../src/reconcile/sweep.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, ourSource, rule, SETTINGS } from '../plan/scene.js';
import { fleetOf } from '../state/fleet-events.js';
import { depsOf } from './deps.js';

/** A Consul without entries. `onView` is called whenever the world is looked at. */
function rigOf(onView: (world: WorldState, times: number) => void) {
  const { world } = fleetOf(120);
  world.putEntries([], NOW);
  const { deps, added } = depsOf(world, {});
  const { catalog, view } = world;
  if (catalog === undefined) throw new Error('the fleet has no catalog');
  const consul = {
    ...deps.consul,
    intentions: { ...deps.consul.intentions, list: async () => [] },
    readCatalog: async () => catalog,
  };
  const overview = async () => ({ pendingKeys: [], holds: [], holdCounts: {}, outboxLength: 0 });
  const journal = { ...deps.journal, overview, settle: async () => {} };
  let times = 0;
  vi.spyOn(world, 'view').mockImplementation((now) => {
    onView(world, ++times);
    return view.call(world, now);
  });
  return { deps: { ...deps, consul, journal }, added };
}

test('a complete comparison queues no destination whose entry a job writes meanwhile', async () => {
  const { deps, added } = rigOf((world, times) => {
    const written = entry('d0', ourSource('s0', ALLOW, 'c0'));
    if (times === 60) world.putEntry(written.destination, { ...written, modifyIndex: 0 });
  });
  await sweep(deps, AbortSignal.timeout(60_000));
  const names = added.flatMap(({ key }) => (key.kind === 'destination' ? key.service : []));
  expect(names).toContain('d1');
  expect(names).not.toContain('d0');
});

test('a complete comparison ends between two pieces of its work if it is stopped', async () => {
  const stop = new AbortController();
  let planned = 0;
  const { deps, added } = rigOf((_, times) => {
    planned = times;
    stop.abort();
  });
  await expect(sweep(deps, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expect(planned).toBeLessThan(120);
  expect(added).toEqual([]);
});

test('a complete comparison leaves a destination to the job that plans from what it read, unless it may lose something', async () => {
  const { deps, added } = rigOf(() => {});
  const written = entry('d1', ourSource('s0', ALLOW, 'c0'));
  let now = NOW;
  const list = async () => {
    now += 1_000;
    return [written];
  };
  deps.world.rememberWritten('destination/default/default/d2', new Map([['web -> d2', '"allow"']]));
  // The job of `begun` began before the read, and ends what it has pending itself.
  const runs = new Map([['begun', NOW], ...['d0', 'd1', 'd2'].map((name) => [name, NOW + 2_000] as const)]);
  const sees = (key: Key, since: number) =>
    key.kind !== 'destination' || (runs.get(key.service) ?? Number.NEGATIVE_INFINITY) > since;
  const pendingKeys = [
    ...['d0', 'begun', 'left'].map((name) => `destination/default/default/${name}`),
    // Its run may be a recheck, which judges nothing.
    'client/main/web',
  ];
  const overview = async () => ({ ...(await deps.journal.overview()), pendingKeys });
  const busy = {
    ...deps,
    clock: { ...deps.clock, now: () => now },
    queue: { ...deps.queue, sees },
    consul: { ...deps.consul, intentions: { ...deps.consul.intentions, list } },
    journal: { ...deps.journal, overview },
  };
  const summary = await sweep(busy, AbortSignal.timeout(60_000));
  const names = added.flatMap(({ key }) => (key.kind === 'destination' ? key.service : []));
  expect(names).not.toContain('d0');
  expect(names).not.toContain('begun');
  expect(names).toEqual(expect.arrayContaining(['d1', 'd2', 'd3', 'left']));
  expect(added.map(({ key }) => formatKey(key))).toContain('client/main/web');
  expect(summary).toMatchObject({ waiting: 1 });
});

test('a complete comparison queues the client of a claim whose record changed', async () => {
  const { deps, added } = rigOf(() => {});
  const catalog = {
    services: [claiming('web', 'web'), claiming('web2', 'web')],
    protocols: new Map(),
    defaultProtocol: 'http' as const,
  };
  const recordOf = (name: string, modifyIndex: number) => ({
    ...{ provider: 'main', clientId: 'web', modifyIndex },
    service: { partition: 'default', namespace: 'default', name },
  });
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')], claims: 'first' }), SETTINGS);
  world.putClaimRecords([recordOf('web', 5)]);
  world.putDirectory('main', [client('web', ['orders'])], world.beginRead(), NOW);
  world.putCatalog(catalog, NOW);
  world.putEntries([], NOW);
  const claims = { ...deps.consul.claims, list: async () => [recordOf('web2', 9)] };
  const consul = { ...deps.consul, claims, readCatalog: async () => catalog };
  await sweep({ ...deps, world, consul }, AbortSignal.timeout(60_000));
  expect(added.map(({ key }) => formatKey(key))).toContain('client/main/web');
});
