import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { until } from '../stack/process.js';
import { describeFaults, type Fault } from './describe-faults.js';
import { startWorld, type World } from './world.js';

const HOUR_MS = 3_600_000;

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

const stepped = (name: string, ms: number): Fault<World> => ({
  name: `has its clock set ${name} by an hour`,
  begin: (world) => world.stepClock(ms),
  meanwhile: async (world) => {
    // Signed by the true clock: an event whose time is an hour off is not believed until the clock is right again.
    await until('a complete read', async () => (await world.daemon.status()).directories.length > 0);
  },
  seconds: 5,
  end: (world) => world.stepClock(0),
});

describeFaults('scopemesh itself', startWorld, [
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
]);
