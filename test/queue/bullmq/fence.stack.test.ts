import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLogger } from '../../../src/observe.js';
import { createBullmqFence } from '../../../src/queue/bullmq/fence.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { until } from '../../stack/process.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
const DEAD = { above: 0, over: 'dead' } as const;
let redis: RedisHandle;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('takes no silent leader for dead before that one had time to come back to a Redis that was away', async () => {
  const way = await startTcpProxy(redis.port);
  let now = 1_000_000;
  const clock = { now: () => now, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 3_000)) };
  const link = new RedisLink(`redis://127.0.0.1:${way.port}`, 'scopemesh:fence', silentLogger, clock);
  const fence = createBullmqFence(link);
  try {
    expect(await fence.raise(LEADER, DEAD)).toBe(1);
    await fence.rest(1);
    expect(await fence.raise(LEADER, DEAD)).toBe(2);
    await fence.rest(2);
    await way.cut();
    await way.mend();
    await until('Redis answers', async () => (await fence.read()) !== undefined);
    expect(await fence.raise(LEADER, DEAD)).toBeUndefined();
    now += fence.lifeMs - 1;
    expect(await fence.raise(LEADER, DEAD)).toBeUndefined();
    now += 1;
    expect(await fence.raise(LEADER, DEAD)).toBe(3);
  } finally {
    link.close();
    await way.cut();
  }
});
