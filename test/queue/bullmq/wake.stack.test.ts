import { Queue as JobQueue } from 'bullmq';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { clientKey } from '../../../src/model/key.js';
import type { Job } from '../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { Agenda } from '../../../src/queue/agenda.js';
import { DEFAULT_BACKOFF } from '../../../src/queue/backoff.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { createBullmqStore } from '../../../src/queue/bullmq/store.js';
import { createWake } from '../../../src/queue/bullmq/wake.js';
import { WriteLimit } from '../../../src/queue/write-limit.js';
import { gate } from '../../conformance/store-harness.js';
import { until } from '../../stack/process.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { aborted } from '../../support/aborted.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

let redis: RedisHandle;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('a leader hears of what others stored, also while it is told already', async () => {
  const [here, there] = [1, 2].map(
    () => new RedisLink(redis.url, 'scopemesh:wake', silentLogger, systemClock),
  );
  if (here === undefined || there === undefined) throw new Error('no links');
  const other = createWake(there, systemClock);
  let heard = 0;
  await other.tell();
  const end = createWake(here, systemClock).listen(() => {
    heard += 1;
  });
  try {
    await until('it hears of what was stored before it listened', () => heard > 0);
    for (let each = 0; each < 20; each++) {
      const before = heard;
      await Promise.all([other.tell(), other.tell(), other.tell()]);
      await until('it hears again', () => heard > before);
    }
  } finally {
    end();
    here.close();
    there.close();
  }
});

it('a leader hears of events although the one before died while it was told', async () => {
  const way = await startTcpProxy(redis.port);
  const open = (port: number) =>
    new RedisLink(`redis://127.0.0.1:${port}`, 'scopemesh:dead', silentLogger, systemClock);
  const [dying, heir] = [open(way.port), open(redis.port)];
  const jobs = new JobQueue('wake', { prefix: 'scopemesh:dead', connection: { url: redis.url } });
  const cut = gate();
  const end = createWake(dying, systemClock).listen(() => void way.cut().then(cut.open));
  const told = createWake(heir, systemClock);
  await told.tell();
  await cut.opened;
  expect(await jobs.getActiveCount()).toBe(1);
  let heard = 0;
  const endHeir = told.listen(() => {
    heard += 1;
  });
  try {
    await until('it hears', () => heard > 0, { timeoutMs: 30_000 });
  } finally {
    end();
    endHeir();
    dying.close();
    heir.close();
    await jobs.close();
  }
});

it('an order that another replica takes interrupts the job of the leader, which begins again with it', async () => {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const [leader, standby] = [redis.url, redis.url].map((url) =>
    createBullmqStore({ ...runtime, url, prefix: 'scopemesh:orders', allowUnsafe: true }),
  );
  const writes = new WriteLimit({ least: 1, first: 1, most: 1 }, systemClock);
  const limits = { writes, reads: 1, urgent: 1 };
  const agenda = new Agenda(limits, { ...runtime, backoff: DEFAULT_BACKOFF });
  const self = { replica: 'one', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 's' };
  const epoch = (await leader?.fence.raise(self, { above: 0, over: 'any' })) ?? 0;
  const led = leader?.lead(epoch);
  const stop = new AbortController();
  const jobs: Job[] = [];
  const isOrdered = ({ triggers }: Job) => triggers.some(({ order }) => order !== undefined);
  const running = agenda.work(async (job, signal) => {
    jobs.push(job);
    // It waits for an identity provider that does not answer.
    return isOrdered(job) ? { kind: 'done' } : aborted(signal);
  }, stop.signal);
  const working = [running, led?.queue.work(agenda, stop.signal, running)];
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
