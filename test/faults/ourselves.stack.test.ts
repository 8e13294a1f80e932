import { open, readdir, rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { until } from '../stack/process.js';
import { describeFaults, type Fault } from './describe-faults.js';
import { clientOf, isEqual, post, startWorld, type World } from './world.js';

const HOUR_MS = 3_600_000;
const PAGE_BYTES = 4096;

/** Kills the daemon at a moment of the change that follows, and starts it again. */
const killed = (
  name: string,
  moment: (world: World) => Promise<unknown>,
  more: { readonly soak?: boolean; readonly isLost?: boolean } = {},
): Fault<World> => {
  const arrivals = new WeakMap<World, { readonly come: Promise<unknown>; readonly found: () => void }>();
  return {
    name: `is killed when ${name}`,
    begin: (world) => {
      const found = more.isLost === true ? world.way.lose() : () => {};
      arrivals.set(world, { come: moment(world), found });
    },
    meanwhile: async (world) => {
      const arrival = arrivals.get(world);
      await Promise.race([arrival?.come, delay(20_000)]);
      await world.daemon.kill();
      arrival?.found();
      await world.daemon.start();
    },
    ...(more.soak === true ? { soak: true } : {}),
  };
};

const later = (ms: number) => (world: World) => world.way.next('answered').then(() => delay(ms));

/** As a crash of the machine leaves a write-ahead log: with the beginning of a frame that was never whole. */
async function tear(world: World): Promise<number> {
  const { stateDirectory: state } = world.daemon;
  const logs = (await readdir(state)).filter((name) => name.endsWith('-wal'));
  let torn = 0;
  for (const name of logs) {
    const path = join(state, name);
    const { size } = await stat(path);
    if (size === 0) continue;
    const file = await open(path, 'a');
    await file.write(Buffer.alloc(1000, 0x5c));
    await file.sync();
    await file.close();
    torn++;
  }
  return torn;
}

/** As a sick disk leaves a write-ahead log: it ends in the middle of a record that was whole. */
async function truncateWithin(world: World): Promise<number> {
  const { stateDirectory: state } = world.daemon;
  let cut = 0;
  // The test has the decision log open itself.
  for (const name of ['queue.db-wal', 'journal.db-wal']) {
    const path = join(state, name);
    const { size } = await stat(path);
    if (size < 20_000) continue;
    await truncate(path, Math.floor(size * 0.8) + 1);
    cut++;
  }
  return cut;
}

/** Overwrites a page of a state file with zeros, as a sick disk does. */
async function zeroPage(path: string, page: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, page * PAGE_BYTES);
  await file.sync();
  await file.close();
}

/** What the error of a damaged file says. */
async function moveAway(path: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rename(path + end, `${path}${end}.damaged`).catch(() => {});
}

const stepped = (name: string, ms: number): Fault<World> => ({
  name: `has its clock set ${name} by an hour`,
  begin: (world) => world.stepClock(ms),
  meanwhile: async (world) => {
    const event = { type: 'client.updated', data: { clientId: clientOf(0) } };
    // Signed by the true clock, an event is an hour off and not believed. One signed by the daemon's clock is.
    expect(await post(world, event)).toBe(400);
    expect(await post(world, { ...event, atMs: Date.now() + ms })).toBe(202);
    const isStale = async () => (await world.decisions()).some(({ reason }) => reason === 'EventStale');
    await until('an event is refused as stale', isStale);
    // Complete reads find the changes although their events are refused.
    await until('Consul equals the identity provider', () => isEqual(world));
    expect(await post(world, event)).toBe(400);
  },
  end: (world) => world.stepClock(0),
});

// Where the clock is wrong, events are refused and losses come from reads alone. Two such rows may follow within one window.
const guards = { maxRevocations: { percent: 20, atLeast: 18, window: '10s' } };

describeFaults('scopemesh itself', () => startWorld({ configuration: { guards } }), [
  killed('it has read the client', async ({ idp }) => {
    let isRead = () => {};
    const read = new Promise<void>((resolve) => {
      isRead = resolve;
    });
    idp.fault = (path) => {
      if (path.startsWith('/directory/')) isRead();
      return undefined;
    };
    await read;
    idp.fault = undefined;
  }),
  killed('its write is recorded, and is lost on the way', ({ way }) => way.next('arrived'), { isLost: true }),
  killed('its write is sent', ({ way }) => way.next('arrived'), { soak: true }),
  killed('its write is answered', ({ way }) => way.next('answered')),
  ...[2, 5, 10, 20, 50, 100].map((ms) =>
    killed(`its write was answered ${ms} ms ago`, later(ms), { soak: true }),
  ),
  {
    name: 'is killed, and leaves files that end in a torn write',
    begin: () => {},
    meanwhile: async (world) => {
      await world.way.next('answered');
      await world.daemon.kill();
      expect(await tear(world)).toBeGreaterThan(0);
      await world.daemon.start();
    },
  },
  stepped('ahead', HOUR_MS),
  stepped('back', -HOUR_MS),
  {
    name: 'is stopped by SIGTERM under load',
    begin: () => {},
    meanwhile: async (world) => {
      for (let at = 0; at < 3; at++) world.change();
      await world.way.next('arrived');
      expect(await world.daemon.stop()).toBe(0);
      await world.daemon.start();
    },
  },
  // Last: the numbers of revisions that the store forgets here are missing in every row after them.
  {
    name: 'is killed, and its write-ahead logs end within a record',
    begin: () => {},
    meanwhile: async (world) => {
      await world.way.next('answered');
      await world.daemon.kill();
      expect(await truncateWithin(world)).toBeGreaterThan(0);
      await world.daemon.start();
    },
    exact: false,
    storeForgets: true,
  },
  ...['queue.db', 'journal.db'].map(
    (name): Fault<World> => ({
      name: `finds a page of ${name} zeroed, and starts without the file`,
      begin: async ({ daemon }) => {
        // A clean stop moves everything from the write-ahead log into the file.
        expect(await daemon.stop()).toBe(0);
        const path = join(daemon.stateDirectory, name);
        await zeroPage(path, 1);
        await daemon.start();
        expect(await daemon.process.exited).toBe(1);
        expect(await daemon.log()).toMatch(new RegExp(`${name} is damaged .*move .*${name} with its -wal`));
        await moveAway(path);
        // What changes while the journal is away and the daemon is down waits for a person (`MarkUnrecorded`).
        await daemon.start();
        await daemon.ready(90_000);
      },
      exact: false,
      storeForgets: true,
      soak: name === 'journal.db',
    }),
  ),
]);
