import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { BullmqInbox } from '../../../src/queue/bullmq/inbox.js';
import { createBullmqKeyValueStore } from '../../../src/queue/bullmq/key-value-store.js';
import { RecentEvents } from '../../../src/queue/bullmq/recent-events.js';
import { RedisLink, type ScriptLink } from '../../../src/queue/bullmq/redis-link.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import { createBullmqTriggers } from '../../../src/queue/bullmq/triggers.js';
import type { Store } from '../../../src/queue/store-parts.js';
import { DONE, eventIds, idle, trigger, work } from '../../conformance/store-harness.js';
import { until } from '../../stack/process.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';

const MEMORY = { scope: 'event/main', ttlMs: 60_000 };
const event = (id: string) => ({ id, triggers: [trigger(id, id, { urgent: true })], rechecks: [] });
const warn = vi.fn();
const error = vi.fn();
/** How far the clock of the processes is ahead. */
let aheadMs = 0;
let redis: RedisHandle;
let replica: RedisHandle;
let way: TcpProxy;
let standby: Store;
const open = (port: number) =>
  createBullmqStore({
    url: `redis://127.0.0.1:${port}`,
    prefix: 'scopemesh:inbox',
    allowUnsafe: false,
    logger: { ...silentLogger, warn, error },
    metrics: noMetrics,
    clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
  });
beforeEach(async () => {
  warn.mockClear();
  error.mockClear();
  aheadMs = 0;
  redis = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
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

/** `ask`: the first call that Redis answers. */
async function failOver(ask: () => Promise<unknown> = () => standby.inbox.check()): Promise<void> {
  await lose();
  await way.mend();
  await until('Redis answers', async () => {
    await ask();
    return true;
  });
}

async function lose(): Promise<void> {
  way.target = replica.port;
  await way.cut();
  await until('Redis is away', () =>
    standby.fence.read().then(
      () => false,
      () => true,
    ),
  );
}

/** Accepts two events, the second one unknown to the replica, which takes over next. */
async function acceptOneMore(): Promise<void> {
  await standby.inbox.accept('main', [event('a')], MEMORY);
  await separate('a');
  await standby.inbox.accept('main', [event('b')], MEMORY);
}

const restored = () => warn.mock.calls.map(([fields]) => fields).filter((fields) => 'restored' in fields);

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

it('restores an event after an outage of any length', async () => {
  await acceptOneMore();
  await lose();
  aheadMs = 3_600_000;
  await failOver();
  expect(restored()).toEqual([{ restored: 1 }]);
});

it('restores no event that was accepted long before Redis was lost', async () => {
  await acceptOneMore();
  aheadMs = 3_600_000;
  await failOver();
  expect(restored()).toEqual([]);
});

it('tells the process that runs the jobs of what is restored', async () => {
  await acceptOneMore();
  const heard: (string | undefined)[] = [];
  const other = open(replica.port);
  const self = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
  const epoch = (await other.fence.raise(self, { above: 0, over: 'any' })) ?? 0;
  const leader = other.lead(epoch);
  const working = work(leader.queue, async (job) => {
    heard.push(...eventIds(job));
    return DONE;
  });
  try {
    let probes = 0;
    await until('the leader listens', async () => {
      await other.inbox.accept('main', [event(`probe-${probes++}`)], MEMORY);
      return heard.length > 0;
    });
    await failOver();
    await until('the leader hears it', () => heard.includes('b'));
  } finally {
    await working.stop();
    await leader.close();
    await other.close();
  }
});

const onReplica = async <T>(use: (client: Redis) => Promise<T>): Promise<T> => {
  const client = new Redis(replica.url);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
};
const ONLY_JOURNAL = 'scopemesh:inbox:reserve:only-journal';

describe.each([
  {
    name: 'whose memory that is left is for the journal',
    fill: () => onReplica((client) => client.set(ONLY_JOURNAL, '1')),
    empty: () => onReplica((client) => client.del(ONLY_JOURNAL)),
  },
  {
    name: 'that is out of memory',
    fill: () => onReplica((client) => client.config('SET', 'maxmemory', '1')),
    empty: () => onReplica((client) => client.config('SET', 'maxmemory', '0')),
  },
])('in a Redis $name', ({ fill, empty }) => {
  it.each([
    ['check', () => standby.inbox.check()],
    ['event', () => standby.inbox.accept('main', [event('c')], MEMORY)],
  ])(
    'waits for room with the events to restore, until the next %s, and other commands go on',
    async (_, next) => {
      await acceptOneMore();
      await fill();
      await failOver(() => standby.fence.read());
      expect(error.mock.calls.map(([fields]) => fields)).toContainEqual(
        expect.objectContaining({ events: 2 }),
      );
      await expect(next()).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
      expect(restored()).toEqual([]);
      await empty();
      await next();
      expect(restored()).toEqual([{ restored: 1 }]);
      expect(await standby.inbox.accept('main', [event('b')], MEMORY)).toEqual(new Set());
    },
  );
});

it('tells the queue of the steps that were made when a later one fails', async () => {
  const link = new RedisLink(redis.url, 'scopemesh:part', silentLogger, systemClock);
  try {
    let left = Number.POSITIVE_INFINITY;
    const failing: ScriptLink = {
      prefix: link.prefix,
      call: (use) => link.call(use),
      run: (script, ...values) => link.run(script, ...values),
      async restore(client, script, ...values) {
        if (left-- === 0) throw new Error('no answer');
        return link.restore(client, script, ...values);
      },
      whenOther: (restore) => link.whenOther(restore),
    };
    const arrived = vi.fn();
    const facts = createBullmqKeyValueStore(link);
    const recent = new RecentEvents(systemClock);
    const inbox = new BullmqInbox(failing, createBullmqTriggers(link, link), { arrived }, facts, recent, {
      ...silentLogger,
      warn,
    });
    const events = Array.from({ length: 300 }, (_, index) => event(`${index}`));
    await inbox.accept('main', events, MEMORY);
    await link.call((client) => client.flushall());
    arrived.mockClear();
    left = 1;
    const restore = () => link.call((client) => inbox.restore(client, systemClock.now()));
    await expect(restore()).rejects.toThrow('no answer');
    expect(arrived).toHaveBeenCalledTimes(1);
    left = Number.POSITIVE_INFINITY;
    await restore();
    expect(arrived).toHaveBeenCalledTimes(2);
    expect(restored()).toEqual([{ restored: 250 }, { restored: 50 }]);
  } finally {
    link.close();
  }
});
