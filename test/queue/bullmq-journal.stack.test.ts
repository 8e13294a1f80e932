import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { silentLogger } from '../../src/observe.js';
import { BullmqJournal } from '../../src/queue/bullmq/journal.js';
import { RedisLink } from '../../src/queue/bullmq/redis-link.js';
import { draft, settled } from '../conformance/journal.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';

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

it('runs the calls of one turn in their order, also one whose script Redis does not know yet', async () => {
  const journal = new BullmqJournal(link);
  // Redis knows the script of `published` then, and not that of `settle`.
  await journal.published(['a']);
  await Promise.all([journal.settle('key', [settled('a')]), journal.published(['a'])]);
  expect(await journal.outbox(10)).toEqual([]);
});

it('records, settles and publishes 5,000 decisions in one step each', async () => {
  const journal = new BullmqJournal(link);
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
  const journal = new BullmqJournal(link, subjectsKept);
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
