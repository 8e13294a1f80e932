import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { CLIENTS, put, startFormerWorld, tell } from '../support/former-state/former-world.js';
import { edgesOfConsul } from './crash-world.js';
import { BUILT, type Scopemesh } from './scopemesh.js';

/** The checkout of another release with a lease, built. */
const FORMER = process.env.FORMER;
const MINUTE_MS = 60_000;
const NO_LOG = { kind: 'kafka', brokers: ['127.0.0.1:9'], topic: 'none' };
const PATIENCE = { timeoutMs: 60_000 };
/** Loses its scope at the beginning. */
const LOSER = 1;
/** Their scope comes and goes. */
const CHANGING = [4, 5, 6, 7, 8, 9];

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const one of stops.splice(0).reverse()) await one().catch(() => {});
});

const edgeOf = (at: number) => `d-${at % 2}/svc-${at}`;
const scopesOf = (at: number) => [`d-${at % 2}:read`];

describe.skipIf(FORMER === undefined)('two releases side by side (skipped without FORMER=CHECKOUT)', () => {
  it('lead one after the other for a minute, lose no event and open nothing again', async () => {
    const world = await startFormerWorld('bullmq');
    stops.push(() => world.stop());
    const start = (program: string) => world.start(program, NO_LOG);
    const former = join(FORMER ?? '', 'dist/workers/main.js');
    const first = await start(former);
    await first.ready();
    const running: Scopemesh[] = [first, await start(former), await start(BUILT)];
    const isReady = async ({ address }: Scopemesh) => (await fetch(`${address}/readyz`)).status === 200;
    for (const each of running) await until('it is ready', () => isReady(each), PATIENCE);
    const leader = async () => {
      for (const each of running) if ((await each.status()).leader) return each;
      return undefined;
    };
    const replace = async (old: Scopemesh, program?: string) => {
      running.splice(running.indexOf(old), 1);
      expect(await old.stop()).toBe(0);
      if (program !== undefined) running.push(await start(program));
      await until('another replica leads', leader, PATIENCE);
    };

    put(world.idp, LOSER, []);
    await tell(world, first, 'client.updated', LOSER);
    const isClosed = async () => !(await edgesOfConsul(world)).has(edgeOf(LOSER));
    await until('the edge is closed', isClosed, PATIENCE);

    // The former leader goes, then the other former one, and a former one comes back for a while.
    const steps = [
      () => replace(first),
      async () => void running.push(await start(former)),
      async () => replace((await until('a leader', leader, PATIENCE)) ?? first, BUILT),
    ];
    const began = performance.now();
    const open = new Set(CHANGING);
    let reopened = 0;
    for (let turn = 0; performance.now() - began < MINUTE_MS; turn++) {
      const at = CHANGING[turn % CHANGING.length] ?? 4;
      if (open.delete(at)) put(world.idp, at, []);
      else {
        open.add(at);
        put(world.idp, at, scopesOf(at));
      }
      const [ready] = (
        await Promise.all(running.map(async (each) => ((await isReady(each).catch(() => false)) ? each : [])))
      ).flat();
      if (ready === undefined) throw new Error('no replica is ready');
      await tell(world, ready, 'client.updated', at);
      if (!(await isClosed())) reopened++;
      if (performance.now() - began > (MINUTE_MS / 4) * (4 - steps.length)) await steps.shift()?.();
      const isMade = async () => (await edgesOfConsul(world)).has(edgeOf(at)) === open.has(at);
      await until('Consul has the change', isMade, PATIENCE);
    }
    const expected = Array.from({ length: CLIENTS }, (_, at) => at)
      .filter((at) => at !== LOSER && (!CHANGING.includes(at) || open.has(at)))
      .map(edgeOf);
    const isEqual = async () =>
      [...(await edgesOfConsul(world)).keys()].toSorted().join() === expected.toSorted().join();
    await until('Consul equals the identity provider', isEqual, PATIENCE);
    expect({ reopened, left: steps.length }).toEqual({ reopened: 0, left: 0 });
    for (const each of running) {
      await until('it is ready', () => isReady(each), { ...PATIENCE, process: each.process });
      expect((await each.status()).parked).toEqual([]);
    }
  }, 300_000);
});
