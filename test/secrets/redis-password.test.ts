import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RedisLink } from '../../src/queue/bullmq/redis-link.js';
import { failureOf } from '../support/failure-of.js';
import { secretsIn } from './spellings.js';
import { startRedisStandIn } from './tcp-stand-in.js';

const PASSWORD = 'k7+/=:@ %&-hunter2-of-the-mesh';

it('the password is in no log and no error of a Redis that repeats what it refuses', async () => {
  const redis = await startRedisStandIn(PASSWORD);
  const logged: unknown[] = [];
  const log = (...parts: readonly unknown[]) => logged.push(parts);
  const logger = { debug: log, info: log, warn: log, error: log };
  const url = `redis://user:${encodeURIComponent(PASSWORD)}@${redis.address}`;
  const link = new RedisLink(url, 'test', logger, systemClock);
  const failure = await failureOf(link.call((client) => client.get('x')));
  link.close();
  await redis.close();
  expect(redis.received()).toContain(PASSWORD);
  expect(logged.length).toBeGreaterThan(0);
  const text = [inspect(failure, { depth: null, showHidden: true }), inspect(logged, { depth: null })].join(
    '\n',
  );
  expect(secretsIn(text, new Map([['redis password', PASSWORD]]))).toEqual([]);
});
