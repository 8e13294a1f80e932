import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { SyncError } from '../../../src/errors.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { GatheredScript } from '../../../src/queue/bullmq/gathered-script.js';
import { BullmqJournal } from '../../../src/queue/bullmq/journal.js';
import { RedisLink } from '../../../src/queue/bullmq/redis-link.js';
import { Script } from '../../../src/queue/bullmq/script.js';
import { draft, hold, settled } from '../../conformance/journal.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';

/** Of each step: a name, how many texts, and these. Gives the length of the list, and fails a step whose name is no list. */
const PUSH = new Script(`
local failed, lengths, at, step = {}, {}, 1, 0
while at <= #ARGV do
  local name, length = P .. ':' .. ARGV[at], 0
  step = step + 1
  for index = at + 2, at + 1 + ARGV[at + 1] do
    local reply = redis.pcall('RPUSH', name, ARGV[index])
    if type(reply) == 'table' then failed[#failed + 1], failed[#failed + 2] = step, reply.err else length = reply end
  end
  lengths[step] = length
  at = at + 2 + ARGV[at + 1]
end
return { failed, lengths }`);

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

const push = (script: GatheredScript, name: string, ...texts: readonly string[]) =>
  script.run([name, texts.length, ...texts], 1);

it('sends the steps of one turn as one, and gives each its own numbers', async () => {
  const script = gathered();
  const replies = await Promise.all([push(script, 'a', '1', '2'), push(script, 'b'), push(script, 'a', '3')]);
  expect(replies).toEqual([[2], [0], [3]]);
  expect(sent).toBe(1);
  expect(await push(script, 'a', '4')).toEqual([4]);
  expect(sent).toBe(2);
});

it('fails only the step that fails, with the error of Redis', async () => {
  await link.call((each) => each.set(`${link.prefix}:text`, 'no list'));
  const script = gathered();
  const ends = await Promise.allSettled([
    push(script, 'a', '1'),
    push(script, 'text', 'x'),
    push(script, 'a', '2'),
  ]);
  expect(ends).toEqual([
    { status: 'fulfilled', value: [1] },
    { status: 'rejected', reason: expect.objectContaining({ message: expect.stringMatching(/WRONGTYPE/) }) },
    { status: 'fulfilled', value: [2] },
  ]);
});

it('sends many values in several scripts, so that other connections get in between', async () => {
  const script = gathered(link.fencedBy(0));
  const values = Array.from({ length: 900 }, () => 'x');
  const ends = await Promise.allSettled(Array.from({ length: 100 }, () => push(script, 'a', ...values)));
  // Nobody leads, so each is refused by its fence and not for its length.
  expect(new Set(ends.map((end) => end.status === 'rejected' && end.reason.code))).toEqual(
    new Set(['ERR_LEASE_LOST']),
  );
  expect(sent).toBe(50);
});

it('keeps Redis no longer than for a hundred steps at once', async () => {
  const script = gathered();
  const replies = await Promise.all(Array.from({ length: 250 }, (_, index) => push(script, 'a', `${index}`)));
  expect(replies).toEqual(Array.from({ length: 250 }, (_, index) => [index + 1]));
  expect(sent).toBe(3);
});

it('fails all of them where Redis cannot be asked, or another process leads', async () => {
  const fenced = link.fencedBy(7);
  const script = gathered(fenced);
  const ends = await Promise.allSettled([push(script, 'a', '1'), push(script, 'a', '2')]);
  expect(ends.map((end) => end.status === 'rejected' && end.reason.code)).toEqual([
    'ERR_LEASE_LOST',
    'ERR_LEASE_LOST',
  ]);
  expect(sent).toBe(1);
  link.close();
  await expect(push(gathered(), 'a')).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
});

const journalOf = (through: RedisLink) =>
  new BullmqJournal(through, { clock: systemClock, logger: silentLogger, metrics: noMetrics });
const digest = { lastApplied: new Map([['s', 'digest']]) };
const outboxOf = async (journal: BullmqJournal) => (await journal.outbox(99)).map(({ id }) => id);
const memory = (most: string) => link.call((each) => each.config('SET', 'maxmemory', most));

describe('the steps of one turn', () => {
  afterEach(() => memory('0'));

  it('settle a decision once that is in two of them', async () => {
    const journal = journalOf(link);
    await Promise.all([
      journal.settle('key', [settled('a'), settled('b', 't'), settled('a')], digest),
      journal.settle('other', [settled('a'), settled('c')], digest),
      journal.settle('key', [settled('b', 't')], { lastApplied: new Map([['s', 'late']]) }),
    ]);
    expect((await journal.outbox(9)).map(({ id, revision }) => [id, revision])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 2],
    ]);
    expect((await journal.read('key')).lastApplied.get('s')).toBe('digest');
  });

  it.each(['written', 'holds'])(
    'leave a decision pending whose %s Redis cannot write, and settle the others',
    async (kind) => {
      const journal = journalOf(link);
      await Promise.all([journal.record('bad', [draft('a')]), journal.record('good', [draft('b')])]);
      await link.call((each) => each.set(`${link.prefix}:${kind}:bad`, 'no hash'));
      const update = { ...digest, holds: new Map([['h', hold('h')]]) };
      const ends = await Promise.allSettled([
        journal.settle('bad', [settled('a')], update),
        journal.settle('good', [settled('b')], update),
      ]);
      expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
      expect(await outboxOf(journal)).toEqual(['b']);
      expect(await journal.overview()).toMatchObject({ pendingKeys: ['bad'] });
      await link.call((each) => each.del(`${link.prefix}:${kind}:bad`));
      expect((await journal.read('bad')).pending.map(({ id }) => id)).toEqual(['a']);
      await journal.settle('bad', [settled('a')], update);
      expect(await outboxOf(journal)).toEqual(['b', 'a']);
    },
  );

  it('list no key as pending whose drafts Redis cannot write', async () => {
    const journal = journalOf(link);
    await link.call((each) => each.set(`${link.prefix}:pending:bad`, 'no hash'));
    const ends = await Promise.allSettled([
      journal.record('bad', [draft('a')]),
      journal.record('good', [draft('b')]),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect([...(await journal.readAll()).keys()]).toEqual(['good']);
  });

  it('lose no draft to damage of what all keys share', async () => {
    const journal = journalOf(link);
    await Promise.all([journal.record('one', [draft('a')]), journal.record('two', [draft('b', 't')])]);
    await link.call((each) => each.hset(`${link.prefix}:revisions`, 's', 'no number'));
    const settleBoth = () =>
      Promise.allSettled([journal.settle('one', [settled('a')]), journal.settle('two', [settled('b', 't')])]);
    expect((await settleBoth()).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await journal.overview()).toMatchObject({ pendingKeys: ['one', 'two'], outboxLength: 0 });
    await link.call((each) => each.hdel(`${link.prefix}:revisions`, 's'));
    await settleBoth();
    expect(await outboxOf(journal)).toEqual(['a', 'b']);
  });

  it('write nothing in a full Redis, and all in their order once there is room', async () => {
    const journal = journalOf(link);
    await Promise.all(['a', 'b'].map((id) => journal.record(id, [draft(id)])));
    await memory('1');
    let asked = 0;
    link.whenFull(async () => {
      expect(await journal.overview()).toMatchObject({ pendingKeys: ['a', 'b'], outboxLength: 0 });
      asked++;
      await memory('0');
      return true;
    });
    await Promise.all(['b', 'a'].map((id) => journal.settle(id, [settled(id)], digest)));
    expect(asked).toBe(1);
    expect(await outboxOf(journal)).toEqual(['b', 'a']);
  });

  it('end with the error of a Redis that is a replica now, so that the connection looks for the other', async () => {
    const journal = journalOf(link);
    await journal.record('key', [draft('a')]);
    const replicaOf = (host: string, port: string) => link.call((each) => each.replicaof(host, port));
    await replicaOf('127.0.0.1', '1');
    const closed = new Promise((resolve) => link.commands.once('close', resolve));
    await expect(journal.record('key', [], ['a'])).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
    await closed;
    await replicaOf('no', 'one');
    await journal.record('key', [], ['a']);
    expect((await journal.read('key')).pending).toEqual([]);
  });

  it('end drafts in a full Redis, and record others in their place', async () => {
    const journal = journalOf(link);
    await journal.record('key', [draft('a'), draft('b')]);
    await memory('1');
    const refused = journal.record('other', [draft('e')]).catch(({ code }: SyncError) => code);
    await Promise.all([journal.record('key', [], ['a']), journal.record('key', [draft('c')], ['b'])]);
    expect(await refused).toBe('ERR_QUEUE_UNREACHABLE');
    expect((await journal.read('key')).pending.map(({ id }) => id)).toEqual(['c']);
    await expect(journal.record('key', [draft('d')])).rejects.toMatchObject({
      code: 'ERR_QUEUE_UNREACHABLE',
    });
  });
});
