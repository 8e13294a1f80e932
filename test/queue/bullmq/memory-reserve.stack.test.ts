import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import type { Store } from '../../../src/queue/store-parts.js';
import { draft, settled } from '../../conformance/journal.js';
import { trigger } from '../../conformance/store-harness.js';
import { startRedis } from '../../stack/redis.js';

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
