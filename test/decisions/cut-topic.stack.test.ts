import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Checkpoints } from '../../src/decisions/checkpoints.js';
import { fromFirstWholeCheckpoint } from '../../src/decisions/cut-front.js';
import { createKafkaDecisionLog } from '../../src/decisions/kafka/kafka-decision-log.js';
import { Publication } from '../../src/decisions/publication.js';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';
import { inChainOrder, type TrailRecord, toTrailRecord } from '../../src/decisions/trail-record.js';
import { type TrailReport, verifyTrail } from '../../src/decisions/verify-trail.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { decisions } from '../support/decisions.js';

const surroundings = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
const pem = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
const signer = createNoteSigner('scopemesh/payments', pem);

let kafka: KafkaHandle;
let admin: Admin;
beforeAll(async () => {
  kafka = await startKafka();
  admin = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin?.disconnect();
  await kafka?.stop();
});

/** A daemon's relay on a topic, as it is after each start. */
function createTopicWorld() {
  const topic = `decisions-${randomUUID()}`;
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-cut-'));
  const store = createEmbeddedStore({ directory, ...surroundings });
  onTestFinished(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const open = () =>
    createKafkaDecisionLog({
      ...surroundings,
      brokers: [kafka.broker],
      topic,
      clientId: 'scopemesh-test',
      transactionalId: `scopemesh-${topic}`,
      createTopic: { partitions: 3, replicationFactor: -1 },
      timeoutMs: 10_000,
    });
  return {
    topic,
    /** Publishes so many decisions and a checkpoint in a process of its own. */
    async publish(count: number): Promise<void> {
      const log = open();
      const { journal, keyValues } = store;
      const publication = new Publication({ ...surroundings, journal, keyValues, log });
      const checkpoints = new Checkpoints({ ...surroundings, log, keyValues, signer, owner: 'payments' });
      await journal.settle('destination/default/default/orders', decisions(count, 7));
      while ((await publication.moveBatch()) > 0);
      await checkpoints.sign(publication.head);
      await log.close();
    },
    async verify(): Promise<TrailReport> {
      const log = open();
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
    },
  };
}

it('a topic that Kafka cut at its front goes on with the same chain, and is verified from a checkpoint on', async () => {
  const world = createTopicWorld();
  for (let at = 0; at < 4; at++) await world.publish(40);
  expect(await world.verify()).toMatchObject({ logs: [{ first: 1, last: 160, signed: 160 }] });
  const offsets = await admin.fetchTopicOffsets(world.topic);
  // Each partition loses another share, as retention deletes by segment.
  const shares = [0.5, 0.3, 0];
  const partitions = offsets.map(({ partition, high }) => ({
    partition,
    offset: `${Math.floor(Number(high) * (shares[partition] ?? 0))}`,
  }));
  await admin.deleteTopicRecords({
    topic: world.topic,
    partitions: partitions.filter(({ offset }) => offset !== '0'),
  });
  const report = await world.verify();
  expect(report.fault).toBeUndefined();
  expect(report.logs).toMatchObject([{ last: 160, signed: 160 }]);
  expect([41, 81, 121]).toContain(report.logs[0]?.first);
  await world.publish(10);
  expect((await world.verify()).logs).toMatchObject([{ last: 170, signed: 170 }]);
});

it('a topic that lost everything by retention goes on with the same chain', async () => {
  const world = createTopicWorld();
  await world.publish(20);
  const offsets = await admin.fetchTopicOffsets(world.topic);
  const partitions = offsets.map(({ partition, high }) => ({ partition, offset: high }));
  await admin.deleteTopicRecords({ topic: world.topic, partitions });
  await world.publish(20);
  await world.publish(5);
  const report = await world.verify();
  expect(report.fault).toBeUndefined();
  expect(report.logs).toMatchObject([{ first: 41, last: 45, signed: 45 }]);
});

it('a topic that was deleted and made again has another log, which is intact', async () => {
  const world = createTopicWorld();
  await world.publish(20);
  await admin.deleteTopics({ topics: [world.topic] });
  await world.publish(5);
  await world.publish(5);
  expect(await world.verify()).toMatchObject({ decisions: 10, logs: [{ first: 1, last: 10, signed: 10 }] });
  expect((await world.verify()).fault).toBeUndefined();
});
