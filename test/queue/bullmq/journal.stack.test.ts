import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { BullmqJournal } from '../../../src/queue/bullmq/journal.js';
import { RedisLink, type Restorer } from '../../../src/queue/bullmq/redis-link.js';
import { draft, hold, settled } from '../../conformance/journal.js';
import { until } from '../../stack/process.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

const DEPS = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
let redis: RedisHandle;
let link: RedisLink;
let count = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  link = new RedisLink(redis.url, `scopemesh:journal-${++count}`, silentLogger, systemClock);
});
afterEach(() => link.close());

it('makes again, in a replica that takes over, what it lacks, once and with the same revisions', async () => {
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
  const way = await startTcpProxy(redis.port);
  const other = new Redis(replica.url);
  const prefix = `scopemesh:failover-${count}`;
  const through = new RedisLink(`redis://127.0.0.1:${way.port}`, prefix, silentLogger, systemClock);
  try {
    const counted = vi.fn();
    const journal = new BullmqJournal(through, { ...DEPS, metrics: { ...noMetrics, count: counted } });
    await journal.record('key', [draft('a'), draft('b')]);
    await journal.settle('key', [settled('a')], { lastApplied: new Map([['s', 'a']]) });
    await until('the replica has it', async () => (await other.zscore(`${prefix}:settled`, 'a')) !== null);
    await other.replicaof('NO', 'ONE');

    // All of this is acknowledged, and the replica has none of it.
    await journal.published(['a']);
    await journal.settle('key', [settled('b')], { lastApplied: new Map([['s', 'b']]) });
    await journal.published(['b']);
    await journal.record('key', [draft('c'), draft('d', 't')]);
    await journal.settle('key', [settled('c')], { holds: new Map([['h', hold('h')]]) });
    const before = await journal.read('key');
    const outbox = await journal.outbox(10);
    way.target = replica.port;
    await way.cut();
    await way.mend();

    expect(await eventually(() => journal.read('key'))).toEqual(before);
    expect(await journal.outbox(10)).toEqual(outbox);
    expect(outbox.map(({ id, revision }) => [id, revision])).toEqual([['c', 3]]);
    expect(counted.mock.calls).toEqual([['scopemesh_store_restored_decisions_total', {}, 2]]);
    await journal.settle('key', [settled('e')]);
    expect((await journal.outbox(10)).map(({ revision }) => revision)).toEqual([3, 4]);
  } finally {
    other.disconnect();
    through.close();
    await way.cut();
    await replica.stop();
  }
});

it.each([
  ['before', 'was repeated', true],
  ['after', 'was repeated', true],
  ['before', 'was in the outbox', false],
  ['after', 'was in the outbox', false],
] as const)(
  'keeps a decision whose answer was lost, where Redis forgets it %s it was published, and it %s',
  async (when, _, isRepeated) => {
    const { journal, lost, restore } = openThatLosesAnswers();
    const update = { lastApplied: new Map([['s', '1']]) };
    await journal.settle('key', [settled('a')]);
    await journal.published(['a']);
    await lost(() => journal.settle('key', [settled('b')], update));
    if (isRepeated) await journal.settle('key', [settled('b')], update);
    else expect((await journal.outbox(10)).map(({ revision }) => revision)).toEqual([2]);
    const before = await journal.read('key');
    if (when === 'after') await journal.published(['b']);
    await link.call(async (client) => client.del(...(await client.keys(`${link.prefix}:*`))));
    await link.call(restore);
    expect(await journal.read('key')).toEqual(before);
    await journal.settle('key', [settled('c')]);
    expect((await journal.outbox(10)).map(({ id, revision }) => [id, revision])).toEqual([
      ...(when === 'after' ? [] : [['b', 2]]),
      ['c', 3],
    ]);
  },
);

it('changes nothing in a Redis that lacks nothing, also where answers were lost', async () => {
  const { journal, lost, restore } = openThatLosesAnswers();
  const wrote = (digest: string) => ({ lastApplied: new Map([['s', digest]]) });
  const unchanged = async () => {
    const before = await journal.read('key');
    await link.call(restore);
    expect(await journal.read('key')).toEqual(before);
  };
  await journal.settle('key', [], wrote('1'));
  await journal.settle('key', [settled('a')], wrote('2'));
  await unchanged();
  await lost(() => journal.settle('key', [settled('b')], wrote('3')));
  await unchanged();
  await journal.settle('key', [settled('c')], wrote('4'));
  // A repetition, whose update is out of date.
  await journal.settle('key', [settled('b')], wrote('3'));
  await unchanged();
  await journal.record('key', [draft('d')]);
  await lost(() => journal.record('key', [draft('e')], ['d']));
  await unchanged();
  expect((await journal.read('key')).lastApplied).toEqual(new Map([['s', '4']]));
  expect((await journal.read('key')).pending.map(({ id }) => id)).toEqual(['e']);
});

it('makes no settlement that Redis never had, although it has one of its decisions from another one', async () => {
  const { journal, lost, unsent, restore } = openThatLosesAnswers();
  const wrote = (digest: string) => ({ lastApplied: new Map([['s', digest]]) });
  await lost(() => journal.settle('key', [settled('a')], wrote('1')));
  await unsent(() => journal.settle('key', [settled('a'), settled('b')], wrote('2')));
  expect((await journal.outbox(10)).map(({ id }) => id)).toEqual(['a']);
  await link.call(restore);
  expect((await journal.outbox(10)).map(({ id }) => id)).toEqual(['a']);
  expect((await journal.read('key')).lastApplied).toEqual(new Map([['s', '1']]));
});

it('settles in the order of the calls, also where Redis does not know the script yet', async () => {
  const journal = new BullmqJournal(link, DEPS);
  await Promise.all([journal.settle('key', [settled('b')]), journal.settle('other', [settled('a')])]);
  await Promise.all([journal.settle('other', [settled('c')]), journal.published(['b'])]);
  const outbox = await journal.outbox(10);
  expect(outbox.map(({ id, revision }) => [id, revision])).toEqual([
    ['a', 2],
    ['c', 3],
  ]);
});

it('records, settles and publishes 5,000 decisions in one step each', async () => {
  const journal = new BullmqJournal(link, DEPS);
  const ids = Array.from({ length: 5000 }, (_, index) => `id-${index}`);
  const digests = new Map(ids.map((id) => [id, `digest of ${id}`]));
  await journal.record(
    'key',
    ids.map((id) => draft(id, id)),
  );
  expect((await journal.read('key')).pending.map(({ id }) => id)).toEqual(ids);
  const decisions = ids.map((id) => settled(id, id));
  await journal.settle('key', [...decisions, settled('id-0')], { lastApplied: digests });
  const outbox = await journal.outbox(6000);
  expect(outbox.map(({ id }) => id)).toEqual(ids);
  expect(new Set(outbox.map(({ revision }) => revision))).toEqual(new Set([1]));
  expect(await journal.read('key')).toEqual({ pending: [], lastApplied: digests, holds: new Map() });
  await journal.published(ids);
  expect(await journal.overview()).toEqual({
    pendingKeys: [],
    holds: [],
    holdCounts: {},
    outboxLength: 0,
  });
});

it('remembers no more subjects than it may, and gives no subject a revision twice', async () => {
  const subjectsKept = 10;
  const journal = new BullmqJournal(link, DEPS, subjectsKept);
  const last = new Map<string, number>();
  for (let index = 0; index < 400; index++) {
    // Two of the subjects come back again and again.
    const subject = index % 5 < 2 ? `often-${index % 5}` : `s-${(index * 7) % 90}`;
    await journal.settle('key', [settled(`id-${index}`, subject)]);
  }
  const outbox = await journal.outbox(1000);
  for (const { subject, revision } of outbox) {
    const before = last.get(subject) ?? 0;
    if (subject.startsWith('often')) expect(revision).toBe(before + 1);
    else expect(revision).toBeGreaterThan(before);
    last.set(subject, revision);
  }
  expect(last.size).toBeGreaterThan(2 * subjectsKept);
  const sizes = await link.call((client) =>
    Promise.all(['revisions', 'revisions:earlier'].map((name) => client.hlen(`${link.prefix}:${name}`))),
  );
  expect(Math.max(...sizes)).toBeLessThanOrEqual(subjectsKept);
});

/** The first answer of a Redis that comes back. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  let found: { readonly answer: T } | undefined;
  await until('Redis answers', async () => {
    found = { answer: await ask() };
    return true;
  });
  if (found === undefined) throw new Error('no answer');
  return found.answer;
}

function openThatLosesAnswers() {
  let restorer: Restorer = async () => {};
  let way: 'open' | 'loses answers' | 'sends nothing' = 'open';
  const journal = new BullmqJournal(
    {
      prefix: link.prefix,
      call: (use) => link.call(use),
      async run(script, ...values) {
        if (way === 'sends nothing') throw new Error('no answer');
        const answer = await link.run(script, ...values);
        if (way === 'loses answers') throw new Error('no answer');
        return answer;
      },
      restore: (redis, script, ...values) => link.restore(redis, script, ...values),
      whenOther(restore) {
        restorer = restore;
        return () => {};
      },
    },
    DEPS,
  );
  const through = (broken: typeof way) => async (step: () => Promise<void>) => {
    way = broken;
    await expect(step()).rejects.toThrow('no answer');
    way = 'open';
  };
  const [lost, unsent] = [through('loses answers'), through('sends nothing')];
  return { journal, lost, unsent, restore: (redis: Redis) => restorer(redis, 0) };
}
