import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Config } from '../../../config/config.js';
import { toMapping } from '../../../config/mapping-revision.js';
import { Reloads } from '../../../src/daemon/reload.js';
import { leaseLost, SyncError } from '../../../src/errors.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import type { Rig } from '../../support/daemon.js';
import { ordersRig } from '../../support/orders-rig.js';

let rig: Rig;
const stop = new AbortController();
beforeEach(async () => {
  rig = await ordersRig();
});
afterEach(() => rig.close());

const away = new SyncError('ERR_QUEUE_UNREACHABLE', 'the store is away', { retriable: true });

/** A leader whose journal refuses the decisions with these errors, one after the other. */
async function reload(...errors: readonly Error[]) {
  const running = await rig.load();
  const next: Config = {
    ...running,
    guards: { ...running.guards, protected: ['vault'] },
  };
  const { deps } = depsOf(worldWithTwo(), {});
  const settled: unknown[] = [];
  let recorded = () => {};
  const isRecorded = new Promise<void>((resolve) => {
    recorded = resolve;
  });
  const left = [...errors];
  const journal = {
    ...deps.journal,
    async settle(_: string, decisions: readonly unknown[]) {
      const error = left.shift();
      if (error !== undefined) throw error;
      settled.push(...decisions);
      recorded();
    },
  };
  const said: string[] = [];
  const say = (_: object, message: string) => void said.push(message);
  const logger = { debug() {}, info: say, warn: say, error: say };
  const live = { deps: { ...deps, journal, logger }, isReconciling: true };
  let stepsDown = 0;
  const reloads = new Reloads({
    running,
    readAt: '2026-03-01T10:00:00.000Z',
    read: async () => next,
    live: () => live,
    stepDown() {
      stepsDown += 1;
    },
    taken: () => {},
    signal: stop.signal,
  });
  await reloads.request();
  return { reloads, next, world: deps.world, settled, said, isRecorded, stepsDown: () => stepsDown };
}

it('a good file takes effect while the store is away, and its decision follows', async () => {
  const { reloads, next, world, settled, said, isRecorded, stepsDown } = await reload(away, away);
  expect(reloads.current.guards.protected).toEqual(['vault']);
  expect(world.mapping.revision).toBe(toMapping(next).revision);
  expect(said[0]).toContain('takes effect all the same');
  expect(stepsDown()).toBe(0);
  await isRecorded;
  expect(settled).toMatchObject([{ reason: 'ConfigReloaded' }]);
});

it('a good file takes effect with the next term where the lease is lost', async () => {
  const { reloads, settled, stepsDown } = await reload(leaseLost());
  expect(reloads.current.guards.protected).toEqual(['vault']);
  expect(stepsDown()).toBe(1);
  expect(settled).toEqual([]);
});

it('a file whose decision fails for another reason is refused', async () => {
  const { reloads, settled } = await reload(new Error('a fault'));
  expect(reloads.current.guards.protected).not.toEqual(['vault']);
  expect(settled).toMatchObject([{ reason: 'ConfigRefused' }]);
});
