import { expect, test, vi } from 'vitest';
import { sweep } from '../../src/reconcile/sweep.js';
import { ALLOW, entry, NOW, ourSource } from '../plan/scene.js';
import { fleetOf } from '../state/fleet-events.js';
import { depsOf } from './deps.js';

test('a complete comparison queues no destination whose entry a job writes meanwhile', async () => {
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
  let planned = 0;
  vi.spyOn(world, 'view').mockImplementation((now) => {
    const written = entry('d0', ourSource('s0', ALLOW, 'c0'));
    if (++planned === 60) world.putEntry(written.destination, { ...written, modifyIndex: 0 });
    return view.call(world, now);
  });
  await sweep({ ...deps, consul, journal }, AbortSignal.timeout(60_000));
  const names = added.flatMap(({ key }) => (key.kind === 'destination' ? key.service : []));
  expect(names).toContain('d1');
  expect(names).not.toContain('d0');
});
