import { Queue as JobQueue, Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { silentLogger } from '../../../src/observe.js';
import { createBullmqFence } from '../../../src/queue/bullmq/fence.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { deleteEarlierQueues, queueName } from '../../../src/queue/bullmq/terms.js';
import type { Fence } from '../../../src/queue/fence.js';
import { gate } from '../../conformance/store-harness.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
const ANY = { above: 0, over: 'any' } as const;
let redis: RedisHandle;
let link: RedisLink;
let fence: Fence;
let count = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  link = new RedisLink(redis.url, `scopemesh:terms-${++count}`, silentLogger, systemClock);
  fence = createBullmqFence(link);
});
afterEach(() => link.close());

const raise = async () => (await fence.raise(LEADER, ANY)) ?? 0;

/** Every key of the store but those of the fence. */
const stored = async () => {
  const names = await link.call((of) => of.keys(`${link.prefix}:*`));
  const own = ['alive', 'lease', 'terms'];
  return names
    .map((name) => name.slice(link.prefix.length + 1))
    .filter((name) => !own.includes(name))
    .sort();
};

async function addJobs(epoch: number | undefined, many: number, delay = 0): Promise<void> {
  const queue = new JobQueue(queueName(epoch), { prefix: link.prefix, connection: { url: redis.url } });
  const jobs = Array.from({ length: many }, (_, index) => ({
    name: 'key',
    data: {},
    opts: { jobId: `client/main/${delay}-${index}`, priority: 1 + (index % 2), delay },
  }));
  await queue.addBulk(jobs);
  await queue.close();
}

/** As a process that was killed leaves it. */
async function leaveJobRunning(epoch: number): Promise<void> {
  const running = gate();
  const run = () => {
    running.open();
    return new Promise<void>(() => {});
  };
  const worker = new Worker(queueName(epoch), run, { prefix: link.prefix, connection: { url: redis.url } });
  await running.opened;
  await worker.close(true);
}

describe('the queues of earlier terms', () => {
  it('are deleted with jobs of every kind, more than one step deletes, and later ones are left', async () => {
    const [first, second, third] = [await raise(), await raise(), await raise()];
    await addJobs(first, 700);
    await addJobs(first, 300, 600_000);
    await addJobs(third, 1);
    const kept = await stored();
    await leaveJobRunning(first);
    await addJobs(second, 1);
    await deleteEarlierQueues(link, third);
    expect(await stored()).toEqual(kept.filter((name) => name.startsWith(queueName(third))));
  });

  it('are deleted after an upgrade from a release that noted no terms, or had none', async () => {
    await link.call((of) => of.hset(`${link.prefix}:lease`, 'epoch', '41', 'leader', JSON.stringify(LEADER)));
    await addJobs(41, 1);
    await addJobs(undefined, 1);
    const epoch = await raise();
    expect(epoch).toBe(42);
    await deleteEarlierQueues(link, epoch);
    expect(await stored()).toEqual([]);
  });

  it('are deleted again when a late leader added a job after that', async () => {
    const late = await raise();
    await addJobs(late, 1);
    await deleteEarlierQueues(link, await raise());
    await addJobs(late, 1);
    expect(await stored()).not.toEqual([]);
    for (let term = 0; term < 3; term++) await raise();
    await deleteEarlierQueues(link, await raise());
    expect(await stored()).toEqual([]);
  });

  it('are deleted to the end by the next term after a crash in the middle', async () => {
    const first = await raise();
    await addJobs(first, 500);
    const queue = new JobQueue(queueName(first), { prefix: link.prefix, connection: { url: redis.url } });
    await queue.pause();
    await queue.close();
    const second = await raise();
    await deleteEarlierQueues(link, second);
    expect(await stored()).toEqual([]);
  });

  it('are forgotten when a hundred terms followed', async () => {
    for (let term = 0; term < 120; term++) await raise();
    await deleteEarlierQueues(link, await raise());
    const terms = await link.call((of) => of.zrange(`${link.prefix}:terms`, '0', '-1'));
    expect(terms).toEqual(Array.from({ length: 100 }, (_, index) => String(index + 21)));
  });

  it('give a full Redis its memory back, and cost its reserve only where they have jobs', async () => {
    let given = 0;
    link.whenFull(async () => {
      given++;
      await link.call((of) => of.config('SET', 'maxmemory', '0'));
      return true;
    });
    const full = () => link.call((of) => of.config('SET', 'maxmemory', '1'));
    await addJobs(await raise(), 1);
    const next = await raise();
    await full();
    await deleteEarlierQueues(link, next);
    expect(given).toBe(1);
    await full();
    await deleteEarlierQueues(link, next);
    expect(given).toBe(1);
    await link.call((of) => of.config('SET', 'maxmemory', '0'));
    expect(await stored()).toEqual([]);
  });

  it('are deleted although another one cannot be', async () => {
    const [broken, other] = [await raise(), await raise()];
    await addJobs(other, 3);
    const next = await raise();
    const name = `${queueName(broken)}:meta`;
    await link.call((of) => of.set(`${link.prefix}:${name}`, 'no hash'));
    await deleteEarlierQueues(link, next);
    expect(await stored()).toEqual([name]);
  });
});
