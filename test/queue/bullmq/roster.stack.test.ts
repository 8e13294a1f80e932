import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { silentLogger } from '../../../src/observe.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { createBullmqRoster } from '../../../src/queue/bullmq/roster.js';
import { MAX_REPLICAS, ROSTER_LIFE_MS, type Roster } from '../../../src/queue/roster.js';
import { REPLICA } from '../../conformance/roster.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';

const PREFIX = 'scopemesh:roster';
const named = (replica: string) => ({ ...REPLICA, replica });
let redis: RedisHandle;
let raw: Redis;
let link: RedisLink;
let roster: Roster;
beforeAll(async () => {
  redis = await startRedis();
  raw = new Redis(redis.url);
  link = new RedisLink(redis.url, PREFIX, silentLogger, systemClock);
  roster = createBullmqRoster(link);
});
afterAll(async () => {
  link?.close();
  raw?.disconnect();
  await redis?.stop();
});
const names = async () => (await roster.list()).map(({ replica }) => replica);
/** It showed itself last so long ago. */
const age = async (replica: string, ms: number) => raw.zincrby(`${PREFIX}:replicas:seen`, -ms, replica);

it('lists the replicas of other processes, and each no longer than its life', async () => {
  for (const each of ['b/2', 'a/1', 'c/3']) await roster.show(named(each));
  await age('b/2', 5_000);
  await age('c/3', ROSTER_LIFE_MS + 60_000);
  const [first, second, ...others] = await roster.list();
  expect([first?.replica, second?.replica, others]).toEqual(['a/1', 'b/2', []]);
  expect(second?.seenMs).toBeGreaterThanOrEqual(5_000);
  await roster.show(named('a/1'));
  expect(await raw.hexists(`${PREFIX}:replicas`, 'c/3')).toBe(0);
  // Nobody has to tidy up after the last replica.
  for (const key of ['replicas', 'replicas:seen'])
    expect(await raw.pttl(`${PREFIX}:${key}`)).toBeGreaterThan(0);
});

it('passes over what no replica wrote', async () => {
  await raw.zadd(`${PREFIX}:replicas:seen`, '9e15', 'no json', '9e15', 'no replica');
  await raw.hset(`${PREFIX}:replicas`, 'no json', '{', 'no replica', '{"replica":1}');
  expect(await names()).toEqual(['a/1', 'b/2']);
  for (const each of ['no json', 'no replica']) await roster.leave(each);
});

it('keeps a limited number, the last ones', async () => {
  for (const each of ['a/1', 'b/2']) await age(each, 1_000);
  for (let at = 0; at < MAX_REPLICAS; at++) await roster.show(named(`z/${at}`));
  const found = await names();
  expect(found).toHaveLength(MAX_REPLICAS);
  expect(found.filter((each) => !each.startsWith('z/'))).toEqual([]);
});
