import { expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { WatchAges } from '../../src/daemon/watch-ages.js';
import { watchTables } from '../../src/daemon/watch-table.js';
import { SyncError } from '../../src/errors.js';
import { silentLogger } from '../../src/observe.js';
import { aborted } from '../support/aborted.js';

/** How long each read of a table that always changes is followed by nothing; a read takes so long, or fails then. */
async function restsAfter(
  reads: readonly { readonly tookMs: number; readonly fails?: 'once' | 'for long' }[],
  times: number,
) {
  const stop = new AbortController();
  const rests: number[] = [];
  let now = 0;
  let changed = () => {};
  let at = 0;
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      rests.push(ms);
    },
  };
  const watch: Consul['watch'] = (_table, listener, signal) => {
    changed = () => listener.changed();
    changed();
    return aborted(signal).catch(() => {});
  };
  const read = async () => {
    const one = reads[at++];
    if (one === undefined) return stop.abort();
    now += one.tookMs;
    changed();
    if (one.fails !== undefined)
      throw new SyncError('ERR_CONSUL_INCOMPLETE', 'no', { retriable: one.fails === 'once' });
  };
  const deps = { consul: { watch } as Consul, clock, logger: silentLogger };
  await watchTables(['catalog'], read, deps, new WatchAges(clock), stop.signal, { times, maxMs: 5_000 });
  return rests.slice(0, reads.length);
}

it('Reads of a table that always changes rest in proportion to their time, within a limit', async () => {
  const setBack = { tookMs: -3_600_000 };
  expect(await restsAfter([{ tookMs: 30 }, { tookMs: 500 }, { tookMs: 3_600_000 }, setBack], 2)).toEqual([
    60, 1000, 5_000, 0,
  ]);
});

it('A read that fails for long and takes long is tried again later, and every other one after a second', async () => {
  const failing = [10, 2_000, 9_000].map((tookMs) => ({ tookMs, fails: 'for long' as const }));
  expect(await restsAfter(failing, 0)).toEqual([1_000, 8_000, 10_000]);
  expect(await restsAfter([{ tookMs: 9_000, fails: 'once' }], 0)).toEqual([1_000]);
});

it.each([
  ['counts once the read has succeeded', false, 1_000],
  ['counts for nothing if the read fails: the table could not be read', true, 0],
])('A sign of life during a read %s', async (_, fails, aliveAt) => {
  const stop = new AbortController();
  let now = 0;
  const clock: Clock = { now: () => now, sleep: async () => stop.abort() };
  const ages = new WatchAges(clock);
  let alive = () => {};
  const watch: Consul['watch'] = (_table, listener, signal) => {
    listener.alive();
    ({ alive } = listener);
    listener.changed();
    return aborted(signal).catch(() => {});
  };
  let reads = 0;
  const read = async () => {
    if (++reads > 1) return stop.abort();
    now = 1_000;
    alive();
    if (fails) throw new SyncError('ERR_CONSUL_INCOMPLETE', 'no', { retriable: false });
    stop.abort();
  };
  await watchTables(
    ['intentions'],
    read,
    { consul: { watch } as Consul, clock, logger: silentLogger },
    ages,
    stop.signal,
  );
  now = 5_000;
  expect(ages.ages()).toEqual({ intentions: (5_000 - aliveAt) / 1_000 });
});
