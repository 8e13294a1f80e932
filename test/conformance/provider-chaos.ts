import { describe, expect, it } from 'vitest';
import { createRig, type Daemon, type Rig } from '../support/daemon.js';
import { randomNumbers } from '../support/random-numbers.js';
import { until } from '../support/until.js';
import type { Delivery, ProviderWorld } from './provider-flow.js';

const CLIENTS = 40;
const SCOPES = ['orders:read', 'orders:write'];
const BATCH = 100;
const SENDERS = 16;

interface Counts {
  sent: number;
  forged: number;
}

/**
 * Events with a tenth sent twice, in random order, one in twenty forged and one in twenty lost, while their causes go
 * on happening: in the end Consul has what it has where no event ever came.
 */
export function describeProviderChaos(
  name: string,
  start: () => Promise<ProviderWorld>,
  options: { readonly events: number; readonly seed: number },
): void {
  describe(`${name}: many events, some duplicated, forged, lost or out of order`, () => {
    it('end in the same state as no events, and each forged one is recorded or counted', {
      timeout: 600_000,
    }, async () => {
      const random = randomNumbers(options.seed);
      const world = await start();
      const rigs: Rig[] = [];
      try {
        const ids: string[] = [];
        for (let at = 0; at < CLIENTS; at++)
          ids.push(await world.addClient(`app-${at}`, `svc-${at}`, some(SCOPES, random)));
        world.takeDeliveries();
        const rig = await rigFor(world, ids, rigs);
        const daemon = await rig.start();
        await daemon.idle();
        const counts = await play(world, ids, daemon, options.events, random);
        expect(counts.sent).toBeGreaterThan(options.events * 0.9);
        const expected = await reference(world, ids, rigs);
        await until('the state that no event ends in', () => sameAccess(rig, expected), 60_000);
        await daemon.idle();
        expect(await rig.mesh.access('orders')).toEqual(expected);
        const refused = (await rig.decisions()).filter(({ outcome }) => outcome === 'refused');
        const suppressed = (await daemon.metric('scopemesh_decisions_suppressed_total{kind="event"}')) ?? 0;
        expect(refused.length).toBeGreaterThanOrEqual(Math.min(counts.forged, 100));
        expect(refused.length + suppressed).toBeGreaterThanOrEqual(counts.forged);
      } finally {
        for (const rig of rigs) await rig.close();
        await world.stop();
      }
    });
  });
}

/**
 * Changes one client after the other and sends what the identity provider would, as a bad network and a bad neighbour let
 * it through.
 */
async function play(
  world: ProviderWorld,
  ids: string[],
  daemon: Daemon,
  events: number,
  random: () => number,
): Promise<Counts> {
  const counts: Counts = { sent: 0, forged: 0 };
  const pool: Delivery[] = [];
  const enabled = new Set(ids);
  const send = async (delivery: Delivery, status: number) => {
    counts.sent++;
    const { headers, body } = delivery;
    const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
    await answer.text();
    expect(answer.status).toBe(status);
  };
  const sendSome = async (many: number) => {
    const batch: (() => Promise<void>)[] = [];
    for (let at = 0; at < many && pool.length > 0; at++) {
      const [delivery] = pool.splice(Math.floor(random() * pool.length), 1);
      if (delivery === undefined) break;
      const fate = random();
      if (fate < 0.05) continue;
      if (fate < 0.1) {
        counts.forged++;
        batch.push(() => send(world.forge(delivery), world.forgedStatus ?? 401));
      }
      if (fate > 0.9) pool.push(delivery);
      batch.push(() => send(delivery, 202));
    }
    const queue = batch.values();
    await Promise.all(
      Array.from({ length: SENDERS }, async () => {
        for (const each of queue) await each();
      }),
    );
  };
  while (counts.sent < events) {
    for (let at = 0; at < BATCH; at++) {
      const id = ids[Math.floor(random() * ids.length)];
      if (id === undefined) throw new Error('there is no client');
      if (random() < 0.1) {
        if (enabled.delete(id)) await world.setEnabled(id, false);
        else {
          enabled.add(id);
          await world.setEnabled(id, true);
        }
      } else await world.setScopes(id, some(SCOPES, random));
    }
    pool.push(...world.takeDeliveries());
    if (pool.length === 0) throw new Error('the identity provider sent nothing');
    await sendSome(BATCH * 2);
  }
  await sendSome(pool.length);
  return counts;
}

/** What a daemon that starts now makes of it. */
async function reference(world: ProviderWorld, ids: readonly string[], rigs: Rig[]) {
  const rig = await rigFor(world, ids, rigs);
  const daemon = await rig.start();
  await until('the first comparison', async () =>
    (await daemon.status()).directories.every(({ ageSeconds }) => ageSeconds !== null),
  );
  await daemon.idle();
  await daemon.stop();
  return rig.mesh.access('orders');
}

async function rigFor(world: ProviderWorld, ids: readonly string[], rigs: Rig[]): Promise<Rig> {
  const none = { directory: undefined, directoryToken: undefined, webhook: undefined };
  const rig = await createRig({
    provider: { ...none, ...world.settings, poll: '1s' },
    // No event names what the poll finds missing: the guard has its own tests.
    file: { guards: { maxRevocations: { percent: 100, atLeast: 1_000_000 } } },
    prepare: async ({ mesh }) => {
      await mesh.speaks('orders', 'http');
      await mesh.register('orders');
      for (const [at, id] of ids.entries()) await mesh.register(`svc-${at}`, { client: id });
    },
  });
  rigs.push(rig);
  return rig;
}

async function sameAccess(
  rig: Rig,
  expected: Readonly<Record<string, string>> | undefined,
): Promise<boolean> {
  const sorted = (access: Readonly<Record<string, string>> | undefined) =>
    JSON.stringify(Object.entries(access ?? {}).sort());
  return sorted(await rig.mesh.access('orders')) === sorted(expected);
}

function some(all: readonly string[], random: () => number): readonly string[] {
  return all.filter(() => random() < 0.5);
}
