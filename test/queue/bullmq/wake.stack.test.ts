import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { clientKey } from '../../../src/model/key.js';
import type { Job, Trigger } from '../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { Agenda } from '../../../src/queue/agenda.js';
import { DEFAULT_BACKOFF } from '../../../src/queue/backoff.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import { createWake } from '../../../src/queue/bullmq/wake.js';
import { WriteLimit } from '../../../src/queue/write-limit.js';
import { trigger } from '../../conformance/store-harness.js';
import { until } from '../../stack/process.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { aborted } from '../../support/aborted.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

let redis: RedisHandle;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('a standby hears of events again after a firewall dropped its silent connection', async () => {
  const way = await startTcpProxy(redis.port);
  let ping = () => {};
  const clock = { ...systemClock, sleep: () => new Promise<void>((resolve) => (ping = resolve)) };
  const open = (port: number) =>
    new RedisLink(`redis://127.0.0.1:${port}`, 'scopemesh:wake', silentLogger, systemClock);
  const [far, near] = [open(way.port), open(redis.port)];
  const speaker = createWake(near, { logger: silentLogger, clock });
  const received: Trigger[] = [];
  let listens = () => {};
  const isListening = new Promise<void>((resolve) => (listens = resolve));
  const end = createWake(far, { logger: silentLogger, clock }).subscribe(
    (triggers) => received.push(...triggers),
    listens,
  );
  try {
    await isListening;
    // What is on its way in this connection stays there, and so does all that follows.
    way.delayMs = 100_000;
    await speaker.publish([trigger('a', '1')]);
    await until('the first message waits in the old connection', () => way.waiting > 0);
    ping();
    way.delayMs = 0;
    await until('the standby hears', async () => {
      await speaker.publish([trigger('a', '2')]);
      return received.length > 0;
    });
    expect(received[0]).toEqual(trigger('a', '2'));
  } finally {
    end();
    far.close();
    near.close();
    await way.cut();
  }
});

it('a leader that steps down just as its connection is back does not end the process', async () => {
  const way = await startTcpProxy(redis.port);
  const url = `redis://127.0.0.1:${way.port}`;
  const link = new RedisLink(url, 'scopemesh:wake', silentLogger, systemClock);
  const opened = vi.spyOn(link, 'openSubscriber');
  let end = () => {};
  await new Promise<void>((resolve) => {
    end = createWake(link, { logger: silentLogger, clock: systemClock }).subscribe(() => {}, resolve);
  });
  const subscriber: Redis = opened.mock.results[0]?.value;
  // SUBSCRIBE has no answer when the connection ends: an unhandled rejection would fail this test.
  subscriber.once('ready', () => {
    way.delayMs = 100_000;
    setImmediate(() => {
      end();
      void way.cut();
    });
  });
  const ended = once(subscriber, 'end');
  subscriber.disconnect(true);
  await ended;
  link.close();
});

it('an order that another replica takes interrupts the job of the leader, which begins again with it', async () => {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const [leader, standby] = [redis.url, redis.url].map((url) =>
    createBullmqStore({ ...runtime, url, prefix: 'scopemesh:orders', allowUnsafe: true }),
  );
  const writes = new WriteLimit({ least: 1, first: 1, most: 1 }, systemClock);
  const limits = { writes, reads: 1, urgent: 1, durable: 1 };
  const agenda = new Agenda(limits, { ...runtime, backoff: DEFAULT_BACKOFF });
  const self = { replica: 'one', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 's' };
  const epoch = (await leader?.fence.raise(self, { above: 0, over: 'any' })) ?? 0;
  const led = leader?.lead(epoch, (triggers) => agenda.becameDurable(triggers));
  const stop = new AbortController();
  const jobs: Job[] = [];
  const isOrdered = ({ triggers }: Job) => triggers.some(({ order }) => order !== undefined);
  const working = [
    agenda.work(async (job, signal) => {
      jobs.push(job);
      // It waits for an identity provider that does not answer.
      return isOrdered(job) ? { kind: 'done' } : aborted(signal);
    }, stop.signal),
    led && agenda.workDurable(led.queue, stop.signal),
  ];
  const key = clientKey('main', 'web');
  const cause = { kind: 'webhook', provider: 'main', receivedAt: '2026-03-01T10:00:00.000Z' } as const;
  const order = {
    kind: 'secret-compromised',
    provider: 'main',
    clientId: 'web',
    at: cause.receivedAt,
    cause,
  } as const;
  try {
    await standby?.queue.add([{ key, cause }]);
    await until('the job runs', () => jobs.length === 1, { timeoutMs: 60_000 });
    const event = { id: 'event', triggers: [{ key, cause, urgent: true, order }], rechecks: [] };
    await standby?.inbox.accept('main', [event], { scope: 'events', ttlMs: 60_000 });
    await until('it begins again with the order', () => jobs.some(isOrdered), { timeoutMs: 60_000 });
    expect(jobs.find(isOrdered)?.triggers.flatMap(({ order: found }) => found ?? [])).toEqual([order]);
  } finally {
    stop.abort();
    await Promise.all(working);
    await led?.close();
    await leader?.close();
    await standby?.close();
  }
});
