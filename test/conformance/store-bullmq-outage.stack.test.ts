import { Redis } from 'ioredis';
import { describe, expect, it, type TestContext } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Secret } from '../../src/model/secret.js';
import { type Logger, noMetrics } from '../../src/observe.js';
import { createBullmqStore } from '../../src/queue/bullmq/store.js';
import { type RedisHandle, type RedisOptions, startRedis } from '../stack/redis.js';
import { isSoak } from '../support/soak.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { gate, idle, type Store, trigger, work } from './store-harness.js';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

/** The Redis servers and stores of one test, which end with it, and what they logged. */
function createBench({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  const lines: Line[] = [];
  const log = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields });
  };
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const opened: Store[] = [];
  const servers: RedisHandle[] = [];
  onTestFinished(async () => {
    for (const store of opened) await store.close();
    for (const server of servers) await server.stop();
  });
  return {
    lines,
    logger,
    said: (message: string) => lines.filter((line) => line.message === message).length,
    async start(options: RedisOptions = {}): Promise<RedisHandle> {
      const server = await startRedis(options);
      servers.push(server);
      return server;
    },
    open(url: string, allowUnsafe = false): Store {
      const store = createBullmqStore({
        url: new Secret(url),
        prefix: 'scopemesh:test',
        allowUnsafe,
        logger,
        metrics: noMetrics,
        clock: systemClock,
      });
      opened.push(store);
      return store;
    },
  };
}

/** How long a connection waits at most before it tries again. */
const MAX_WAIT_MS = 1000;
const UNREACHABLE = expect.objectContaining({ code: 'ERR_QUEUE_UNREACHABLE', retriable: true });

// At once: each waits for the clock, and has a Redis of its own.
describe.concurrent('BullMQ over a long time', () => {
  // From the sixth on, one comes each second.
  for (const attempts of [9, isSoak ? 64 : 24]) {
    it(`goes on by itself after each connection tried ${attempts} times to reach Redis, with everything that was acknowledged`, async (context) => {
      const { lines, said, start, open } = createBench(context);
      const server = await start();
      const way = await startTcpProxy(server.port);
      context.onTestFinished(() => way.cut());
      const store = open(`redis://127.0.0.1:${way.port}`);
      const ran = new Map<string, number>();
      const held = gate();
      const working = work(store.queue, async (job) => {
        const ids = job.triggers.map((each) => each.cause.eventId ?? '');
        if (ids.includes('held')) await held.opened;
        for (const id of ids) ran.set(id, (ran.get(id) ?? 0) + 1);
        return { kind: 'done' };
      });
      await store.queue.add([trigger('before', 'before'), trigger('held', 'held')]);
      await until('the first run', async () => ran.has('before') && (await store.queue.state()).active === 1);

      const connections = way.connections;
      await server.kill();
      const began = performance.now();
      const calls = await Promise.allSettled([
        store.queue.add([trigger('during', 'during')]),
        store.keyValues.get('x'),
        store.journal.read('x'),
      ]);
      for (const call of calls) expect(call).toEqual({ status: 'rejected', reason: UNREACHABLE });
      expect(performance.now() - began).toBeLessThan(4000);
      await until('each has tried so often', () => way.connections >= connections * (1 + attempts), 90_000);
      held.open();
      await server.restart();

      const back = performance.now();
      await store.queue.add([trigger('after', 'after'), trigger('held', 'joined')]);
      await until('what came after it has run', () => ran.has('after'));
      expect(performance.now() - back).toBeLessThan(5000);
      await idle(store.queue, 30_000);
      await working.stop();
      expect([...ran.keys()].sort()).toEqual(['after', 'before', 'held', 'joined']);
      // Two, where a busy machine lets a new connection wait for three seconds, and never one for each attempt.
      await until('the end of the outage', async () => {
        return said('redis reachable again') === said('redis unreachable');
      });
      expect([1, 2]).toContain(said('redis unreachable'));
      expect(lines.filter((line) => line.level === 'error')).toEqual([]);
    });
  }

  it('starts before Redis does', async (context) => {
    const { start, open } = createBench(context);
    const server = await start();
    await server.kill();
    const store = open(server.url);
    const ran: string[] = [];
    const working = work(store.queue, async (job) => {
      ran.push(...job.triggers.map((each) => each.cause.eventId ?? ''));
      return { kind: 'done' };
    });
    await expect(store.queue.check()).rejects.toEqual(UNREACHABLE);
    await server.restart();
    await store.queue.add([trigger('a', '1')]);
    await idle(store.queue);
    await working.stop();
    expect(ran).toEqual(['1']);
  });

  it('can be stopped while Redis is away', async (context) => {
    const { start, open } = createBench(context);
    const server = await start();
    const [way, otherWay] = [await startTcpProxy(server.port), await startTcpProxy(server.port)];
    context.onTestFinished(async () => {
      await Promise.all([way.cut(), otherWay.cut()]);
    });
    const store = open(`redis://127.0.0.1:${way.port}`);
    const working = work(store.queue, async () => ({ kind: 'done' }));
    await store.queue.add([trigger('a', '1')]);
    await idle(store.queue);
    await server.kill();
    const began = performance.now();
    await working.stop();
    await store.close();
    expect(performance.now() - began).toBeLessThan(10_000);
    const { connections } = way;
    const other = new Redis(otherWay.port, { retryStrategy: () => MAX_WAIT_MS, maxRetriesPerRequest: 0 });
    other.on('error', () => {});
    // Between its two attempts each connection that is left would have tried too.
    await until('another one has tried twice', () => otherWay.connections >= 2);
    other.disconnect();
    expect(way.connections).toBe(connections);
  });
});

describe('the check of Redis', () => {
  const UNSAFE = (what: string) =>
    expect.objectContaining({
      code: 'ERR_QUEUE_UNSAFE',
      retriable: false,
      message: expect.stringContaining(what),
    });

  it('passes one that keeps every write', async (context) => {
    const { lines, start, open } = createBench(context);
    await open((await start()).url).queue.check();
    expect(lines).toEqual([]);
  });

  it('refuses one that keeps no append-only file, unless that is allowed', async (context) => {
    const { said, start, open } = createBench(context);
    const server = await start({ appendOnly: false });
    await expect(open(server.url).queue.check()).rejects.toEqual(UNSAFE('appendonly is no; set it to yes'));
    await open(server.url, true).queue.check();
    expect(said('redis is unsafe, allowed by configuration')).toBe(1);
  });

  it('refuses one that leaves the writing to the system', async (context) => {
    const { start, open } = createBench(context);
    const server = await start({ appendFsync: 'no' });
    await expect(open(server.url).queue.check()).rejects.toEqual(UNSAFE('appendfsync is no'));
  });

  it('refuses one that evicts', async (context) => {
    const { start, open } = createBench(context);
    const server = await start({ maxMemoryPolicy: 'allkeys-lru' });
    await expect(open(server.url).queue.check()).rejects.toEqual(UNSAFE('maxmemory-policy is allkeys-lru'));
  });

  it('asks INFO where CONFIG is forbidden, and warns of what that does not tell', async (context) => {
    const { said, start, open } = createBench(context);
    const args = ['--rename-command', 'CONFIG', ''];
    const safe = await start({ args });
    await open(safe.url).queue.check();
    expect(said('Redis does not report all of its settings; check that it keeps every write')).toBe(1);
    await safe.stop();
    const unsafe = await start({ args, appendOnly: false, maxMemoryPolicy: 'allkeys-lru' });
    await expect(open(unsafe.url).queue.check()).rejects.toEqual(UNSAFE('maxmemory-policy is allkeys-lru'));
    await expect(open(unsafe.url).queue.check()).rejects.toEqual(UNSAFE('appendonly is no'));
  });

  it('says which Redis cannot be reached, and no secret', async (context) => {
    const { lines, start, open } = createBench(context);
    const server = await start();
    const url = server.url.replace('//', '//user:hunter2@');
    await server.stop();
    const error: unknown = await open(url)
      .queue.check()
      .catch((reason: unknown) => reason);
    expect(error).toEqual(UNREACHABLE);
    expect(String(error)).toContain(`127.0.0.1:${server.port}`);
    expect(JSON.stringify([String(error), lines])).not.toContain('hunter2');
  });
});
