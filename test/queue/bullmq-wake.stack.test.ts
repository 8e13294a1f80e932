import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { Trigger } from '../../src/model/trigger.js';
import { silentLogger } from '../../src/observe.js';
import { RedisLink } from '../../src/queue/bullmq/redis-link.js';
import { Wake } from '../../src/queue/bullmq/wake.js';
import { trigger } from '../conformance/store-harness.js';
import { until } from '../stack/process.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

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
  const speaker = new Wake(near, { logger: silentLogger, clock });
  const heard: Trigger[] = [];
  let listens = () => {};
  const isListening = new Promise<void>((resolve) => (listens = resolve));
  const end = new Wake(far, { logger: silentLogger, clock }).subscribe(
    (triggers) => heard.push(...triggers),
    listens,
  );
  try {
    await isListening;
    // What is on its way in this connection stays there, and so does all that follows.
    way.delayMs = 100_000;
    await speaker.publish([trigger('a', '1')]);
    ping();
    await new Promise((resolve) => setImmediate(resolve));
    way.delayMs = 0;
    await until('the standby hears', async () => {
      await speaker.publish([trigger('a', '2')]);
      return heard.length > 0;
    });
    expect(heard[0]).toEqual(trigger('a', '2'));
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
    end = new Wake(link, { logger: silentLogger, clock: systemClock }).subscribe(() => {}, resolve);
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
