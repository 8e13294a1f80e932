import { Kafka, logLevel } from 'kafkajs';
import { expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import { fromFirstWholeCheckpoint } from '../../../../src/decisions/cut-front.js';
import { readCommitted } from '../../../../src/decisions/kafka/topic-reader.js';
import { createNoteVerifier } from '../../../../src/decisions/signed-note.js';
import { inChainOrder, type TrailRecord, toTrailRecord } from '../../../../src/decisions/trail-record.js';
import type { TrailReport } from '../../../../src/decisions/verify-trail.js';
import { decisions } from '../../../support/decisions.js';
import { createTopicWorld, signer, type TopicWorld, useKafka } from '../../../support/topic-world.js';
import { verifyTrail } from '../../../support/verify-trail.js';

const { kafka, admin, deleteTopic } = useKafka();
const NEVER = new AbortController().signal;

async function verify(world: TopicWorld): Promise<TrailReport> {
  const log = world.open();
  const { cut, events } = await log.readParts(AbortSignal.timeout(30_000));
  const firsts = new Map<string, TrailRecord>();
  const records: TrailRecord[] = [];
  for await (const { part, event } of events) {
    const record = toTrailRecord(event);
    if (!firsts.has(part)) firsts.set(part, record);
    records.push(record);
  }
  await log.close();
  const parts = cut.map((part) => ({ first: firsts.get(part) }));
  const of = (record: TrailRecord) => record;
  const left = fromFirstWholeCheckpoint(inChainOrder(records, of), of, parts);
  return verifyTrail(left, { verifiers: [createNoteVerifier(signer.verifierKey)] });
}

it('a topic that Kafka cut at its front goes on with the same chain, and is verified from a checkpoint on', async () => {
  const world = createTopicWorld(kafka().broker);
  for (let at = 0; at < 4; at++) await world.publish(decisions(40, 7));
  expect(await verify(world)).toMatchObject({ logs: [{ first: 1, last: 160 }] });
  const offsets = await admin().fetchTopicOffsets(world.topic);
  // Each partition loses another share, as retention deletes by segment.
  const shares = [0.5, 0.3, 0];
  const partitions = offsets.map(({ partition, high }) => ({
    partition,
    offset: `${Math.floor(Number(high) * (shares[partition] ?? 0))}`,
  }));
  await admin().deleteTopicRecords({
    topic: world.topic,
    partitions: partitions.filter(({ offset }) => offset !== '0'),
  });
  const report = await verify(world);
  expect(report.fault).toBeUndefined();
  expect(report.logs).toMatchObject([{ last: 160 }]);
  expect([41, 81, 121]).toContain(report.logs[0]?.first);
  await world.publish(decisions(10, 7));
  expect((await verify(world)).logs).toMatchObject([{ last: 170 }]);
});

it('a topic that lost everything by retention goes on with the same chain', async () => {
  const world = createTopicWorld(kafka().broker);
  await world.publish(decisions(20, 7));
  const offsets = await admin().fetchTopicOffsets(world.topic);
  const partitions = offsets.map(({ partition, high }) => ({ partition, offset: high }));
  await admin().deleteTopicRecords({ topic: world.topic, partitions });
  await world.publish(decisions(20, 7));
  await world.publish(decisions(5, 7));
  const report = await verify(world);
  expect(report.fault).toBeUndefined();
  expect(report.logs).toMatchObject([{ first: 41, last: 45 }]);
});

it('a topic that was deleted and made again has another log, which is intact', async () => {
  const world = createTopicWorld(kafka().broker);
  await world.publish(decisions(20, 7));
  await deleteTopic(world.topic);
  await world.publish(decisions(5, 7));
  await world.publish(decisions(5, 7));
  expect(await verify(world)).toMatchObject({ decisions: 10, logs: [{ first: 1, last: 10 }] });
  expect((await verify(world)).fault).toBeUndefined();
});

it('tells a reader that goes on in another log, or whose events Kafka deleted, that there is a gap', async () => {
  const [world, other] = [createTopicWorld(kafka().broker), createTopicWorld(kafka().broker)];
  await world.publish(decisions(8, 7));
  await other.publish(decisions(2, 7));
  const [log, elsewhere] = [world.open(), other.open()];
  const gapsFrom = async (position: string) => {
    const gaps: boolean[] = [];
    for await (const { isAfterGap } of log.readFrom(position, AbortSignal.timeout(60_000))) {
      gaps.push(isAfterGap === true);
      if (gaps.length >= 8) break;
    }
    return gaps;
  };
  const [gap, ...none] = [true, ...Array<boolean>(7).fill(false)];
  expect(await gapsFrom('')).toEqual([false, ...none]);
  for (const position of ['01JDXK4T0QJ5W3M8V7Z2R6N9PB', '12', await elsewhere.position()])
    expect(await gapsFrom(position)).toEqual([gap, ...none]);
  await Promise.all([log.close(), elsewhere.close()]);
});

it('tells a reader whose next events Kafka deleted while it read that there is a gap', async () => {
  const world = createTopicWorld(kafka().broker);
  await world.publish(decisions(20, 7));
  const offsets = await admin().fetchTopicOffsets(world.topic);
  const end = new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
  const partitions = offsets.map(({ partition }) => ({ partition, offset: '2' }));
  await admin().deleteTopicRecords({ topic: world.topic, partitions });
  const seen = new Map<number, boolean[]>();
  const options = { topic: world.topic, clientId: 'scopemesh-test', patienceMs: 60_000, clock: systemClock };
  const range = { start: new Map(offsets.map(({ partition }) => [partition, 0n])), end };
  const client = new Kafka({ brokers: [kafka().broker], logLevel: logLevel.NOTHING });
  for await (const { partition, isAfterGap } of readCommitted(client, { ...options, ...range }, NEVER))
    seen.set(partition, [...(seen.get(partition) ?? []), isAfterGap === true]);
  expect(seen.size).toBeGreaterThan(0);
  for (const [first, ...others] of seen.values()) {
    expect(first).toBe(true);
    expect(others).not.toContain(true);
  }
});
