import { afterEach, expect, it } from 'vitest';
import { Reloads } from '../../../src/daemon/reload.js';
import { rehearse } from '../../../src/daemon/standby.js';
import { formatKey } from '../../../src/model/key.js';
import { claiming } from '../../plan/scene.js';
import { depsOf } from '../../reconcile/deps.js';
import { fleetOf } from '../../state/fleet-events.js';
import type { Rig } from '../../support/daemon.js';
import { ordersRig } from '../../support/orders-rig.js';
import { turnsDuring } from '../../support/turns-during.js';

let rig: Rig | undefined;
afterEach(() => rig?.close());

it('a reload that plans a large fleet lets others work meanwhile, and asks for every destination', async () => {
  rig = await ordersRig();
  const { world, window } = fleetOf(1_000);
  const running = { ...(await rig.load()), owner: world.mapping.owner };
  const { deps, added } = depsOf(world, {});
  const journal = {
    ...deps.journal,
    overview: async () => ({ pendingKeys: [], holds: [], holdCounts: {}, outboxLength: 0 }),
  };
  const reloads = new Reloads({
    running,
    readAt: '2026-03-01T10:00:00.000Z',
    read: async () => ({ ...running, guards: { ...running.guards, protected: ['vault'] } }),
    live: () => ({ deps: { ...deps, window, journal }, isReconciling: true }),
    stepDown: () => {},
    taken: () => {},
    signal: new AbortController().signal,
  });
  expect(await turnsDuring(() => reloads.request())).toBeGreaterThanOrEqual(20);
  expect(new Set(added.map(({ key }) => formatKey(key))).size).toBeGreaterThanOrEqual(1_000);
});

it('a standby that plans a large fleet lets others work meanwhile, and ends when it is to', async () => {
  const { world, window } = fleetOf(1_000);
  const { deps } = depsOf(world, {});
  const services = Array.from({ length: 1_000 }, (_, at) => claiming(`s${at}`, `c${at}`));
  const consul = {
    ...deps.consul,
    intentions: { ...deps.consul.intentions, list: async () => [] },
    readCatalog: async () => ({ services, protocols: new Map(), defaultProtocol: 'http' as const }),
  };
  const journal = { ...deps.journal, readAll: async () => new Map() };
  const rehearsed = (signal: AbortSignal) =>
    rehearse({ ...deps, consul, journal, window }, signal, async () => {});
  expect(await turnsDuring(() => rehearsed(new AbortController().signal))).toBeGreaterThanOrEqual(20);
  await expect(rehearsed(AbortSignal.abort())).rejects.toThrow(/aborted/);
});
