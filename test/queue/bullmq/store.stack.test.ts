import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { formatKey } from '../../../src/model/key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import { DONE, gate, idle, type Store, trigger, work } from '../../conformance/store-harness.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { until } from '../../support/until.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
let redis: RedisHandle;
let stores: readonly [Store, Store, Store];
let count = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  const prefix = `scopemesh:jobs-${++count}`;
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const open = () => createBullmqStore({ url: redis.url, prefix, allowUnsafe: false, ...runtime });
  stores = [open(), open(), open()];
});
afterEach(async () => {
  for (const store of stores) await store.close();
});

const names = (many: number) => Array.from({ length: many }, (_, index) => `k${index}`);

it('thousands of keys run that came while no process ran jobs', async () => {
  const [store] = stores;
  await store.queue.add(names(3000).map((name) => trigger(name, name)));
  const ran: string[] = [];
  const working = work(
    store.queue,
    async (job) => {
      ran.push(formatKey(job.key));
      return DONE;
    },
    256,
  );
  await idle(store.queue);
  await working.stop();
  expect([ran.length, new Set(ran).size]).toEqual([3000, 3000]);
});

it('an event is acknowledged while hundreds of jobs wait for what follows from them, and none of them runs twice', async () => {
  const [store] = stores;
  const finish = gate();
  const ran: string[] = [];
  const working = work(
    store.queue,
    async (job) => {
      ran.push(formatKey(job.key));
      await finish.opened;
      return DONE;
    },
    300,
  );
  await store.queue.add(names(300).map((name) => trigger(name, name)));
  await until('all run', () => ran.length === 300);
  const began = performance.now();
  await store.queue.add([trigger('another', 'another')]);
  const addedMs = performance.now() - began;
  finish.open();
  await idle(store.queue);
  await working.stop();
  expect(addedMs).toBeLessThan(1000);
  expect([ran.length, new Set(ran).size]).toEqual([301, 301]);
});

it('the leader runs all that several replicas store at once, and no key twice at once', async () => {
  const [leader] = stores;
  const led = leader.lead((await leader.fence.raise(LEADER, { above: 0, over: 'any' })) ?? 0);
  const running = new Set<string>();
  const faults: string[] = [];
  const succeeded = new Set<string>();
  let runs = 0;
  const working = work(led.queue, async (job) => {
    const text = formatKey(job.key);
    if (running.has(text)) faults.push(text);
    running.add(text);
    const turns = runs++ % 5;
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    running.delete(text);
    if (turns === 3) return { kind: 'retry', afterMs: 5 };
    for (const each of job.triggers) succeeded.add(each.cause.eventId ?? '');
    return DONE;
  });
  const ids = Array.from({ length: 900 }, (_, index) => index);
  await Promise.all(
    stores.map(async (store, index) => {
      for (const id of ids.filter((each) => each % 3 === index))
        await store.queue.add([trigger(`k${id % 4}`, String(id), { urgent: id % 7 === 0 })]);
    }),
  );
  await until('all have run', () => succeeded.size === ids.length);
  await idle(led.queue);
  await working.stop();
  await led.close();
  expect(faults).toEqual([]);
});
