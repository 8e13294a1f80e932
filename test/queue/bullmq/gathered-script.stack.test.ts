import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { silentLogger } from '../../../src/observe.js';
import { GatheredScript } from '../../../src/queue/bullmq/gathered-script.js';
import { SETTLE } from '../../../src/queue/bullmq/journal-scripts.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { Script } from '../../../src/queue/bullmq/script.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';

/** ARGV: a name, then texts. Gives the texts of the name in order, and fails if it is no list. */
const PUSH = new Script(`
for index = 2, #ARGV do redis.call('RPUSH', P .. ':' .. ARGV[1], ARGV[index]) end
return redis.call('LRANGE', P .. ':' .. ARGV[1], 0, -1)`);

let redis: RedisHandle;
let link: RedisLink;
let count = 0;
/** How many scripts were sent. */
let sent = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  link = new RedisLink(redis.url, `scopemesh:gathered-${++count}`, silentLogger, systemClock);
  sent = 0;
});
afterEach(() => link.close());

function gathered(through: Pick<RedisLink, 'run'> = link): GatheredScript {
  return new GatheredScript(PUSH, {
    run: (script, ...values) => {
      sent++;
      return through.run(script, ...values);
    },
  });
}

it('sends the calls of one turn as one, and gives each its own reply', async () => {
  const script = gathered();
  const replies = await Promise.all([script.run('a', '1', '2'), script.run('b'), script.run('a', 3)]);
  expect(replies).toEqual([['1', '2'], [], ['1', '2', '3']]);
  expect(sent).toBe(1);
  expect(await script.run('a')).toEqual(['1', '2', '3']);
  expect(sent).toBe(2);
});

it('fails only the call that fails, with the error of Redis', async () => {
  await link.call((each) => each.set(`${link.prefix}:text`, 'no list'));
  const script = gathered();
  const ends = await Promise.allSettled([
    script.run('a', '1'),
    script.run('text', 'x'),
    script.run('a', '2'),
  ]);
  expect(ends).toEqual([
    { status: 'fulfilled', value: ['1'] },
    { status: 'rejected', reason: expect.objectContaining({ message: expect.stringMatching(/WRONGTYPE/) }) },
    { status: 'fulfilled', value: ['1', '2'] },
  ]);
});

it('does not take what was written before an error for a repetition', async () => {
  await link.call((each) => each.set(`${link.prefix}:bodies`, 'no hash'));
  const settle = new GatheredScript(SETTLE, link);
  const step = (id: string) => settle.run('key', 9, 9, 1, 0, id, 's', '{}');
  const [first, other] = await Promise.allSettled([step('a'), settle.run('key', 9, 9, 0, 1, 's', 'digest')]);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ERR_QUEUE_UNREACHABLE' } });
  expect(other).toEqual({ status: 'fulfilled', value: [[], []] });
});

it('runs again, by itself, what Redis had no memory for', async () => {
  const alone: unknown[] = [];
  const script = new GatheredScript(PUSH, {
    run: async (asked, ...values) => {
      if (asked !== PUSH)
        return [
          [0, 'OOM command not allowed'],
          [1, ['2']],
        ];
      return alone.push(values);
    },
  });
  expect(await Promise.all([script.run('a', '1'), script.run('b', '2')])).toEqual([1, ['2']]);
  expect(alone).toEqual([['a', '1']]);
});

it('sends many values in several scripts, so that other connections get in between', async () => {
  const script = gathered(link.fencedBy(0));
  const values = Array.from({ length: 900 }, () => 'x');
  const ends = await Promise.allSettled(Array.from({ length: 100 }, () => script.run('a', ...values)));
  // Nobody leads, so each is refused by its fence and not for its length.
  expect(new Set(ends.map((end) => end.status === 'rejected' && end.reason.code))).toEqual(
    new Set(['ERR_LEASE_LOST']),
  );
  expect(sent).toBe(50);
});

it('keeps Redis no longer than for a hundred calls at once', async () => {
  const script = gathered();
  const replies = await Promise.all(Array.from({ length: 250 }, (_, index) => script.run('a', index)));
  expect(replies.at(-1)).toEqual(Array.from({ length: 250 }, (_, index) => String(index)));
  expect(sent).toBe(3);
});

it('fails all of them where Redis cannot be asked, or another process leads', async () => {
  const fenced = link.fencedBy(7);
  const script = gathered(fenced);
  const ends = await Promise.allSettled([script.run('a', '1'), script.run('a', '2')]);
  expect(ends.map((end) => end.status === 'rejected' && end.reason.code)).toEqual([
    'ERR_LEASE_LOST',
    'ERR_LEASE_LOST',
  ]);
  expect(sent).toBe(1);
  link.close();
  await expect(gathered().run('a')).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
});
