import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toStoredText } from '../../../../src/decisions/chain.js';
import type { LogParts } from '../../../../src/decisions/log.js';
import type { Decision } from '../../../../src/model/decision.js';
import { edgeDecision } from '../../../support/decisions.js';
import { chained, createIndexRig, type IndexRig, partsOf } from '../../../support/trail-index.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-index-resumed-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const onDay = (day: number) =>
  new Date(Date.parse('2026-03-01T00:00:00.000Z') + day * 86_400_000).toISOString();
const opened = (source: string, day: number) => edgeDecision(source, onDay(day), null, { access: 'allow' });
const many = (count: number) => chained(Array.from({ length: count }, (_, at) => opened(`s${at}`, 1)));
const idsOf = (decisions: readonly Decision[]) => decisions.map(({ id }) => id);
const nowOf = ({ clock }: IndexRig) => new Date(clock.now()).toISOString();

async function gapsOf(rig: IndexRig) {
  const trail = await rig.trail();
  const { index } = await trail.extent().finally(() => trail.close());
  return index?.gaps;
}

/** A read that gives these decisions, and calls `then` after each; its position is how many it gave. */
function readOf(decisions: readonly Decision[], then: (given: number) => void): LogParts {
  let given = 0;
  async function* events(): LogParts['events'] {
    for (const each of decisions) {
      yield { part: '0', event: toStoredText(each) };
      then(++given);
    }
  }
  return { cut: [], events: events(), position: () => String(given) };
}

const failAfter = (count: number) => (given: number) => {
  if (given === count) throw new Error('the brokers are away');
};

it('begins the first read again that failed, and takes each decision once', async () => {
  const rig = createIndexRig(directory);
  const all = many(150);
  await expect(rig.take(readOf(all, failAfter(120)))).rejects.toMatchObject({
    code: 'ERR_DECISIONS_UNREACHABLE',
    retriable: true,
  });
  await rig.reopen();
  expect([rig.position(), rig.until()]).toEqual(['', undefined]);
  await rig.take(partsOf(all));
  expect(await rig.ids()).toEqual(idsOf(all));
  expect(rig.faults).toEqual([]);
});

it('goes on with a later read where it was stored last, and loses nothing of it', async () => {
  const rig = createIndexRig(directory);
  const all = many(160);
  await rig.take(partsOf(all.slice(0, 10)));
  const until = rig.until();
  await expect(rig.take(readOf(all.slice(10), failAfter(120)))).rejects.toThrow('the brokers are away');
  await rig.reopen();
  // The hundredth was stored before the read asked for the next one.
  expect([rig.position(), rig.until()]).toEqual(['99', until]);
  await rig.take(partsOf(all.slice(10 + Number(rig.position()))));
  expect(await rig.ids()).toEqual(idsOf(all));
  expect(rig.faults).toEqual([]);
});

it('is not complete after a read that a signal ended, and reads it again', async () => {
  const rig = createIndexRig(directory);
  const all = many(20);
  await rig.take(partsOf(all.slice(0, 10)));
  const until = rig.until();
  const stop = new AbortController();
  rig.clock.advance(1_000);
  await rig.take(
    readOf(all.slice(10), () => stop.abort()),
    stop.signal,
  );
  expect([(await rig.ids()).length, rig.until()]).toEqual([10, until]);
  await rig.reopen();
  await rig.take(partsOf(all.slice(10)));
  expect(await rig.ids()).toEqual(idsOf(all));
});

it('is complete up to the instant before the read, over a restart with the same keys', async () => {
  const rig = createIndexRig(directory);
  rig.clock.freeze();
  const readAt = nowOf(rig);
  await rig.take(partsOf(many(2), { position: 'behind' }));
  await rig.reopen();
  expect([rig.position(), rig.until()]).toEqual(['behind', readAt]);
});

it('names the time in which a replaced topic, or what Kafka deleted, may have lost decisions', async () => {
  const rig = createIndexRig(directory);
  rig.clock.freeze();
  rig.replaced();
  await rig.take(partsOf(many(1)));
  expect(await gapsOf(rig)).toEqual([]);
  const first = nowOf(rig);
  rig.clock.advance(5_000);
  const second = nowOf(rig);
  rig.replaced();
  await rig.take(partsOf([]));
  expect(await gapsOf(rig)).toEqual([{ after: first, until: second }]);
  rig.clock.advance(5_000);
  await rig.take(partsOf([], { cut: ['0'] }));
  expect(await gapsOf(rig)).toEqual([
    { after: first, until: second },
    { after: second, until: nowOf(rig) },
  ]);
});

it('forgets a gap that is older than what it keeps', async () => {
  const rig = createIndexRig(directory, 1);
  await rig.take(partsOf([]));
  rig.clock.advance(5_000);
  rig.replaced();
  await rig.take(partsOf([]));
  expect(await gapsOf(rig)).toHaveLength(1);
  rig.clock.advance(86_400_000 + 1_000);
  await rig.take(partsOf([]));
  expect(await gapsOf(rig)).toEqual([]);
});

it('counts and leaves out a log that ended before the first read of a topic with nothing left', async () => {
  const rig = createIndexRig(directory);
  await rig.take(partsOf([], { cut: ['0'] }));
  await rig.take(partsOf([opened('web', 1), opened('app', 2)].flatMap((each) => chained([each], each.id))));
  expect(await rig.ids()).toEqual([]);
  expect([rig.faults, rig.counted('repeated')]).toEqual([['repeated'], 2]);
});

it('is whole from the latest beginning of the parts that Kafka cut', async () => {
  const rig = createIndexRig(directory);
  const [early, late, other] = [opened('web', 2), opened('app', 4), opened('job', 6)].map((each) =>
    toStoredText(chained([each], each.id)[0] ?? each),
  );
  async function* events(): LogParts['events'] {
    yield { part: '0', event: early ?? '' };
    yield { part: '1', event: late ?? '' };
    yield { part: '2', event: other ?? '' };
  }
  await rig.take({ cut: ['0', '1'], events: events(), position: () => 'read' });
  await rig.take(partsOf(chained([opened('old', 4)], '01JAAAAAAAAAAAAAAAAAAAAAAA')));
  expect(rig.counted('repeated')).toBe(1);
  await rig.take(partsOf(chained([opened('new', 5)], '01JAAAAAAAAAAAAAAAAAAAAAAB')));
  expect(await rig.ids()).toHaveLength(4);
});
