import { Queue as JobQueue } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createMemoryReserve, ONLY_JOURNAL } from '../../../src/queue/bullmq/memory-reserve.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import { deleteEarlierQueues, queueName } from '../../../src/queue/bullmq/terms.js';
import type { Store } from '../../../src/queue/store-parts.js';
import { draft, settled } from '../../conformance/journal.js';
import { trigger } from '../../conformance/store-harness.js';
import { startRedis } from '../../stack/redis.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
const MEMORY = { scope: 'main', ttlMs: 60_000 };
const eventOf = (id: string) => ({
  id,
  triggers: [trigger(`k-${id}`, 'x'.repeat(1000))],
  rechecks: [],
});

/** Fills the memory with events until one is refused; gives the refusal. */
async function flood(store: Store): Promise<unknown> {
  for (let at = 0; at < 200; at++) {
    const events = Array.from({ length: 100 }, (_, each) => eventOf(`${at}-${each}`));
    try {
      await store.inbox.accept('main', events, MEMORY);
    } catch (error) {
      return error;
    }
  }
  return undefined;
}

it('the journal of revocations has room in a full Redis, however many events arrive', async () => {
  const redis = await startRedis({ args: ['--maxmemory', '24mb'] });
  const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const open = () =>
    createBullmqStore({ url: redis.url, prefix: 'scopemesh:pay', allowUnsafe: false, ...deps });
  const store = open();
  const replica = open();
  const client = new Redis(redis.url);
  try {
    await store.space.restore();
    for (let length = 1024 * 1024, at = 0; length >= 16; at++)
      await client.setrange(`filler:${at}`, length, '0').catch(() => {
        length = Math.floor(length / 2);
      });
    expect(await flood(store)).toMatchObject({
      code: 'ERR_QUEUE_UNREACHABLE',
      message: expect.stringContaining('kept for revocations'),
    });
    // Another process knows it at once.
    expect(await flood(replica)).toMatchObject({ message: expect.stringContaining('kept for revocations') });
    await expect(store.inbox.check()).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
    expect(store.space.isLow()).toBe(true);
    for (let at = 0; at < 300; at++) {
      const id = `d-${at}`;
      await store.journal.record(`key-${at % 20}`, [draft(id)]);
      await store.journal.settle(`key-${at % 20}`, [settled(id)]);
    }
    expect((await store.journal.outbox(1000)).length).toBe(300);
    await client.unlink(await client.keys('filler:*'));
    await store.space.restore();
    expect(store.space.isLow()).toBe(false);
    await replica.inbox.check();
    expect((await replica.inbox.accept('main', [eventOf('after')], MEMORY)).size).toBe(1);
  } finally {
    client.disconnect();
    await Promise.all([store.close(), replica.close()]);
    await redis.stop();
  }
});

it('the deletion of earlier queues does not take what is kept for the journal, which finds it', async () => {
  const redis = await startRedis({ args: ['--maxmemory', '64mb'] });
  const prefix = 'scopemesh:pay';
  const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const store = createBullmqStore({ url: redis.url, prefix, allowUnsafe: false, ...deps });
  const client = new Redis(redis.url);
  const connection = { url: redis.url };
  const earlier = new JobQueue(queueName(1), { prefix, connection });
  const isKept = async () => await client.exists(`${prefix}:reserve`, `${prefix}:reserve:journal`);
  try {
    await store.space.restore();
    for (const above of [0, 1]) await store.fence.raise(LEADER, { above, over: 'any' });
    await earlier.add('key', {});
    expect(await isKept()).toBe(2);
    // So much is used that half of the reserve makes no room.
    await client.config('SET', 'maxmemory', '1');
    const link = new RedisLink(redis.url, prefix, silentLogger, systemClock);
    const space = createMemoryReserve(link, deps);
    link.whenFull((user) => space.give(user));
    const refused = await Promise.allSettled([1, 2].map(() => deleteEarlierQueues(link, 2)));
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect([space.isLow(), await isKept()]).toEqual([true, 1]);
    expect(await client.exists(`${prefix}${ONLY_JOURNAL}`)).toBe(0);
    expect(await Promise.all([space.give('events'), space.give('journal'), space.give('events')])).toEqual([
      false,
      true,
      true,
    ]);
    expect(await isKept()).toBe(0);
    await client.config('SET', 'maxmemory', '64mb');
    await deleteEarlierQueues(link, 2);
    expect(await client.keys(`${prefix}:${queueName(1)}:*`)).toEqual([]);
    link.close();
  } finally {
    client.disconnect();
    await earlier.close();
    await store.close();
    await redis.stop();
  }
});
