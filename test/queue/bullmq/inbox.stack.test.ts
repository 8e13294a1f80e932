import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import type { Store } from '../../../src/queue/store-parts.js';
import { DONE, eventIds, idle, trigger, work } from '../../conformance/store-harness.js';
import { until } from '../../stack/process.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';

const MEMORY = { scope: 'event/main', ttlMs: 60_000 };
const event = (id: string) => ({ id, triggers: [trigger(id, id, { urgent: true })], rechecks: [] });
const warn = vi.fn();
let redis: RedisHandle;
let replica: RedisHandle;
let way: TcpProxy;
let standby: Store;
const open = (port: number) =>
  createBullmqStore({
    url: `redis://127.0.0.1:${port}`,
    prefix: 'scopemesh:inbox',
    allowUnsafe: false,
    logger: { ...silentLogger, warn },
    metrics: noMetrics,
    clock: systemClock,
  });
beforeEach(async () => {
  warn.mockClear();
  redis = await startRedis();
  replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
  way = await startTcpProxy(redis.port);
  standby = open(way.port);
});
afterEach(async () => {
  await standby.close();
  await way.cut();
  await Promise.all([redis.stop(), replica.stop()]);
});

/** Resolves once the replica knows the event. From then on it gets nothing more. */
async function separate(id: string): Promise<void> {
  const client = new Redis(replica.url);
  try {
    const names = () => client.keys(`scopemesh:inbox:*${id}`);
    await until('the replica has the event', async () => (await names()).length > 0);
    await client.replicaof('NO', 'ONE');
  } finally {
    client.disconnect();
  }
}

async function failOver(): Promise<void> {
  way.target = replica.port;
  await way.cut();
  await way.mend();
  await until('Redis answers', async () => {
    await standby.inbox.check();
    return true;
  });
}

it('has in a Redis that takes over what it accepted, once, although nobody had taken it', async () => {
  await standby.inbox.accept('main', [event('a')], MEMORY);
  await separate('a');
  // All of this is acknowledged, and the replica has none of it.
  await standby.inbox.accept('main', [event('b'), event('c')], MEMORY);
  await failOver();

  expect(await standby.inbox.accept('main', [event('a'), event('b'), event('c')], MEMORY)).toEqual(new Set());
  const leader = open(replica.port);
  const ran: (string | undefined)[] = [];
  const working = work(leader.queue, async (job) => {
    ran.push(...eventIds(job));
    return DONE;
  });
  await idle(leader.queue);
  await working.stop();
  await leader.close();
  expect(ran.sort()).toEqual(['a', 'b', 'c']);
  expect(warn.mock.calls.map(([fields]) => fields)).toContainEqual({ restored: 2 });
});

it('has there what it acknowledged as known, because the answer to its first try was lost', async () => {
  await standby.inbox.accept('main', [event('a')], MEMORY);
  await separate('a');
  const firstTry = open(redis.port);
  await firstTry.inbox.accept('main', [event('b')], MEMORY);
  await firstTry.close();
  expect(await standby.inbox.accept('main', [event('b')], MEMORY)).toEqual(new Set());
  await failOver();
  expect(await standby.inbox.accept('main', [event('b')], MEMORY)).toEqual(new Set());
  expect(warn.mock.calls.map(([fields]) => fields)).toContainEqual({ restored: 1 });
});
