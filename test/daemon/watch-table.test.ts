import { expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { WatchAges } from '../../src/daemon/watch-ages.js';
import { watchTables } from '../../src/daemon/watch-table.js';
import { SyncError } from '../../src/errors.js';
import { silentLogger } from '../../src/observe.js';
import { FailedReads } from '../../src/state/failed-reads.js';
import { aborted } from '../support/aborted.js';

/** How long each read of a table that always changes is followed by nothing; a read takes so long, or fails then. */
async function restsAfter(
  reads: readonly { readonly tookMs: number; readonly fails?: 'once' | 'for long' }[],
  times: number,
  goesOn?: () => boolean,
  /** How much the clock moves in a millisecond. */
  pace = 1,
) {
  const stop = new AbortController();
  const rests: number[] = [];
  let now = 0;
  let changed = () => {};
  let at = 0;
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      if (!stop.signal.aborted) rests.push(ms);
      now += pace * ms;
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
  const deps = { consul: { watch } as Consul, clock, logger: silentLogger, reads: new FailedReads() };
  const rest = { times, maxMs: 5_000, ...(goesOn === undefined ? {} : { goesOn }) };
  await watchTables(['catalog'], read, deps, new WatchAges(clock), stop.signal, rest);
  return goesOn === undefined ? rests.slice(0, reads.length) : rests;
}

it('Reads of a table that always changes rest in proportion to their time, within a limit', async () => {
  expect(await restsAfter([{ tookMs: 30 }, { tookMs: 500 }, { tookMs: 3_600_000 }], 2)).toEqual([
    60, 1000, 5_000,
  ]);
});

it('A read waits on as long as its rest goes on, within the same limit', async () => {
  let asked = 0;
  const isMore = [true, true, true, false, false, true];
  const goesOn = () => isMore[asked++] ?? false;
  // What it says at the end of a read is about the time before.
  expect(await restsAfter([{ tookMs: 30 }, { tookMs: 50 }], 2, goesOn)).toEqual([60, 100, 100, 100, 100]);
  expect(await restsAfter([{ tookMs: 2_430 }], 2, () => true)).toEqual([4_860, 100, 100]);
});

it('One read covers the first answers of several tables', async () => {
  const stop = new AbortController();
  let reads = 0;
  let answered = () => {};
  const both = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const clock: Clock = { now: () => 0, sleep: () => both };
  const watch: Consul['watch'] = (table, listener, signal) => {
    listener.changed();
    if (table === 'protocols') answered();
    return aborted(signal).catch(() => {});
  };
  const read = async () => {
    if (++reads > 1) return;
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    setImmediate(() => stop.abort());
  };
  const deps = { consul: { watch } as Consul, clock, logger: silentLogger, reads: new FailedReads() };
  await watchTables(['catalog', 'protocols'], read, deps, new WatchAges(clock), stop.signal);
  expect(reads).toBe(1);
});

it('A change of one table does not make another one older that is read with it', async () => {
  const stop = new AbortController();
  let now = 0;
  const clock: Clock = { now: () => now, sleep: async () => {} };
  const ages = new WatchAges(clock);
  const listeners = new Map<string, { changed(): void; alive(): void }>();
  const watch: Consul['watch'] = (table, listener, signal) => {
    listeners.set(table, listener);
    listener.alive();
    return aborted(signal).catch(() => {});
  };
  const deps = { consul: { watch } as Consul, clock, logger: silentLogger, reads: new FailedReads() };
  const watching = watchTables(['catalog', 'protocols'], async () => {}, deps, ages, stop.signal);
  now = 4_000;
  listeners.get('catalog')?.changed();
  for (const listener of listeners.values()) listener.alive();
  expect(ages.ages()).toEqual({ catalog: 4, protocols: 0 });
  stop.abort();
  await watching;
});

it('A change is taken when the read begins that sees it, and not before', async () => {
  const stop = new AbortController();
  const order: string[] = [];
  const clock: Clock = { now: () => 0, sleep: async () => {} };
  const watch: Consul['watch'] = async (_table, listener, signal) => {
    listener.changed();
    await listener.taken?.();
    order.push('taken');
    await aborted(signal).catch(() => {});
  };
  const read = async () => {
    order.push('read');
    await new Promise(setImmediate);
    order.push('has read');
    stop.abort();
  };
  const deps = { consul: { watch } as Consul, clock, logger: silentLogger, reads: new FailedReads() };
  await watchTables(['catalog'], read, deps, new WatchAges(clock), stop.signal);
  expect(order).toEqual(['read', 'taken', 'has read']);
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
    { consul: { watch } as Consul, clock, logger: silentLogger, reads: new FailedReads() },
    ages,
    stop.signal,
  );
  now = 5_000;
  expect(ages.ages()).toEqual({ intentions: (5_000 - aliveAt) / 1_000 });
});
