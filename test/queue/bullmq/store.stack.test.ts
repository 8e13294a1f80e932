import { Queue as JobQueue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { formatKey } from '../../../src/model/key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { KeyStore } from '../../../src/queue/bullmq/key-store.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { type BullmqStoreOptions, createBullmqStore } from '../../../src/queue/bullmq/store.js';
import { JOBS, queueName } from '../../../src/queue/bullmq/terms.js';
import type { JobHandler } from '../../../src/queue/queue.js';
import type { Store } from '../../../src/queue/store-parts.js';
import { DONE, gate, idle, trigger, work } from '../../conformance/store-harness.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { loseLock } from '../../support/lost-lock.js';
import { until } from '../../support/until.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
let redis: RedisHandle;
let store: Store;
let prefix: string;
let count = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
const openAt = (url: string, options: Partial<BullmqStoreOptions> = {}) =>
  createBullmqStore({
    url,
    prefix,
    allowUnsafe: false,
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
    ...options,
  });
beforeEach(() => {
  prefix = `scopemesh:jobs-${++count}`;
  store = openAt(redis.url);
});
afterEach(() => store.close());

const names = (many: number) => Array.from({ length: many }, (_, index) => `k${index}`);

describe('keys whose job of BullMQ is missing or out of date', () => {
  it('run after a crash between the append and the making of the job', async () => {
    const link = new RedisLink(redis.url, prefix, silentLogger, systemClock);
    await new KeyStore(link, link).append([trigger('a', '1')]);
    link.close();
    const ran: unknown[] = [];
    const working = work(store.queue, async (job) => {
      ran.push(job.triggers);
      return DONE;
    });
    await idle(store.queue);
    await working.stop();
    expect(ran).toEqual([[trigger('a', '1')]]);
  });

  it('run soon after such a crash when the urgent trigger joined a key that waits', async () => {
    const ran: unknown[] = [];
    const working = work(store.queue, async (job) => {
      ran.push(job.triggers);
      return ran.length === 1 ? { kind: 'retry', afterMs: 600_000 } : DONE;
    });
    await store.queue.add([trigger('a', '1')]);
    await until('the key is delayed', async () => (await store.queue.state()).delayed === 1);
    const link = new RedisLink(redis.url, prefix, silentLogger, systemClock);
    const urgent = trigger('a', '2', { urgent: true });
    await new KeyStore(link, link).append([urgent]);
    link.close();
    await idle(store.queue);
    await working.stop();
    expect(ran).toEqual([[trigger('a', '1')], [trigger('a', '1'), urgent]]);
  });

  it('run, thousands of them, when they came while no process ran jobs, so that BullMQ has none', async () => {
    await store.queue.add(names(3000).map((name) => trigger(name, name)));
    const jobs = new JobQueue(JOBS, { prefix, connection: { url: redis.url } });
    expect(await jobs.count()).toBe(0);
    await jobs.close();
    const ran = new Set<string>();
    const working = work(
      store.queue,
      async (job) => {
        ran.add(formatKey(job.key));
        return DONE;
      },
      256,
    );
    await idle(store.queue);
    await working.stop();
    expect(ran.size).toBe(3000);
  });
});

it('a term deletes the queue of the term before', async () => {
  const lead = async () =>
    store.lead((await store.fence.raise(LEADER, { above: 0, over: 'any' })) ?? 0, () => {});
  const first = await lead();
  const working = work(first.queue, async () => ({ kind: 'retry', afterMs: 600_000 }));
  await first.queue.add([trigger('a', '1')]);
  await until('the key is delayed', async () => (await first.queue.state()).delayed === 1);
  await working.stop();
  await first.close();
  const jobs = new JobQueue(queueName(1), { prefix, connection: { url: redis.url } });
  expect(await jobs.count()).toBe(1);
  const second = await lead();
  const next = work(second.queue, async () => DONE);
  await until('the queue is empty', async () => (await jobs.count()) === 0);
  await next.stop();
  await Promise.all([second.close(), jobs.close()]);
});

it('a term tries again to delete a queue that could not be deleted', async () => {
  await store.fence.raise(LEADER, { above: 0, over: 'any' });
  const connection = { url: redis.url };
  const jobs = new JobQueue(queueName(1), { prefix, connection });
  await jobs.add('key', {});
  const link = new RedisLink(redis.url, prefix, silentLogger, systemClock);
  const meta = `${prefix}:${queueName(1)}:meta`;
  await link.call((of) => of.multi().del(meta).set(meta, 'no hash').exec());
  await store.fence.raise(LEADER, { above: 1, over: 'any' });
  const warnings: string[] = [];
  await store.close();
  store = openAt(redis.url, {
    logger: { ...silentLogger, warn: (_fields, text) => warnings.push(text) },
    // The next attempt need not be waited for.
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal) },
  });
  const led = store.lead(2, () => {});
  const working = work(led.queue, async () => DONE);
  const failures = () => warnings.filter((text) => text === 'jobs of earlier terms are still stored').length;
  await until('two attempts that fail', () => failures() >= 2);
  await link.call((of) => of.del(meta));
  const left = () => link.call((of) => of.keys(`${prefix}:${queueName(1)}:*`));
  await until('the deletion', async () => (await left()).length === 0);
  await working.stop();
  await led.close();
  await jobs.close();
  link.close();
});

describe('hundreds of jobs that wait for what follows from them', () => {
  it('keep their locks, and adding is acknowledged meanwhile', async () => {
    const finish = gate();
    const runs = new Map<string, number>();
    const aborted: string[] = [];
    const handler: JobHandler = async (job, signal) => {
      const key = formatKey(job.key);
      runs.set(key, (runs.get(key) ?? 0) + 1);
      signal.addEventListener('abort', () => aborted.push(key));
      await finish.opened;
      return DONE;
    };
    const working = work(store.queue, handler, 300);
    await store.queue.add(names(300).map((name) => trigger(name, name)));
    await until('all run', () => runs.size === 300);
    const endHeir = await loseLock(redis.port, openAt, handler);
    const meanwhile = new Set(runs.values());
    const began = performance.now();
    await store.queue.add([trigger('another', 'another')]);
    const addedMs = performance.now() - began;
    finish.open();
    await idle(store.queue);
    await Promise.all([working.stop(), endHeir()]);
    expect(meanwhile).toEqual(new Set([1]));
    expect(addedMs).toBeLessThan(1000);
    expect(aborted).toEqual([]);
    expect(runs.size).toBe(301);
    expect(new Set(runs.values())).toEqual(new Set([1]));
  });
});
