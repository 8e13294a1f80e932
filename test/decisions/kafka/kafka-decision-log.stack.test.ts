import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { parseCloudEvent, toCloudEvent } from '../../../src/decisions/envelope.js';
import { createWebhookSender } from '../../../src/decisions/http/webhook-sender.js';
import {
  createKafkaDecisionLog,
  type KafkaDecisionLogOptions,
} from '../../../src/decisions/kafka/kafka-decision-log.js';
import { WebhookCursor } from '../../../src/decisions/webhook-cursor.js';
import { deliverWebhook } from '../../../src/decisions/webhook-delivery.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { describeDecisionLog } from '../../conformance/decision-log.js';
import { type KafkaHandle, startKafka } from '../../stack/kafka.js';
import { readTopic } from '../../stack/kcat.js';
import { until } from '../../stack/process.js';
import { decision, decisions, faultsOf } from '../../support/decisions.js';
import { startWebhookReceiver } from '../../support/webhook-receiver.js';
import { createFacts } from '../../support/worker-facts.js';

const LONG = { timeoutMs: 100_000 };

let kafka: KafkaHandle;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(async () => {
  await kafka?.stop();
});

const openOptions = (topic: string): KafkaDecisionLogOptions => ({
  brokers: [kafka.broker],
  topic,
  clientId: 'scopemesh-test',
  transactionalId: `scopemesh-${topic}`,
  createTopic: { partitions: 3, replicationFactor: -1 },
  timeoutMs: 10_000,
  logger: silentLogger,
  metrics: noMetrics,
  clock: systemClock,
});
const open = (topic: string, changes: Partial<KafkaDecisionLogOptions> = {}) =>
  createKafkaDecisionLog({ ...openOptions(topic), ...changes });

describeDecisionLog('on Kafka', async () => {
  const topic = `decisions-${randomUUID()}`;
  return { open: () => open(topic), async dispose() {} };
});

describe('the decision log on Kafka', () => {
  it('feeds a webhook, each subject in order, which goes on after a restart where it ended', async () => {
    const topic = `decisions-${randomUUID()}`;
    const writer = open(topic);
    await writer.check();
    const [before, first, foreign, later] = [
      decisions(3),
      decisions(20, 5),
      [decision({ source: 'scopemesh/other/replica-1' })],
      decisions(20, 5, 'later'),
    ];
    await writer.append(before);
    const receiver = await startWebhookReceiver();
    const facts = createFacts();
    const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
    const deliver = () => {
      const stop = new AbortController();
      const log = open(topic);
      const cursor = new WebhookCursor(facts, 'siem');
      const [name, secrets] = ['siem', [new Secret(receiver.secret)]];
      const sender = createWebhookSender({ ...runtime, name, url: receiver.url, secrets, timeoutMs: 60_000 });
      const parts = {
        name,
        owner: 'payments',
        log,
        cursor,
        sender,
        wants: () => true,
        isPaused: () => false,
      };
      const ended = deliverWebhook({ ...parts, ...runtime }, stop.signal);
      return {
        begun: () => until('it begins', async () => (await cursor.read()) !== undefined, LONG),
        async stop() {
          stop.abort();
          await ended;
          await Promise.all([log.close(), sender.close()]);
        },
      };
    };
    // At least once: an event may come again after the restart.
    const taken = () => [...new Set(receiver.taken)];
    const one = deliver();
    await one.begun();
    await writer.append(first);
    await writer.append(foreign);
    await until('the first are delivered', () => taken().length === first.length, LONG);
    await one.stop();
    await writer.append(later);
    const two = deliver();
    await until('the others are delivered', () => taken().length === first.length + later.length, LONG);
    await two.stop();
    await writer.close();
    const byId = new Map([...first, ...later].map((each) => [each.id, each]));
    const delivered = taken().flatMap((id) => byId.get(id) ?? []);
    expect(delivered).toHaveLength(first.length + later.length);
    expect(faultsOf(delivered)).toEqual([]);
  });

  it('writes what another client reads as CloudEvents keyed by their subject', async () => {
    const topic = `decisions-${randomUUID()}`;
    const log = open(topic);
    await log.check();
    const written = decisions(30, 5);
    await log.append(written.slice(0, 17));
    await log.append(written.slice(17));
    await log.close();
    const messages = await until('kcat reads all', async () => {
      const read = await readTopic(kafka.broker, topic);
      return read.length === 30 && read;
    });
    for (const message of messages) {
      expect(message.headers).toEqual({ 'content-type': 'application/cloudevents+json' });
      expect(JSON.parse(message.value)).toMatchObject({ specversion: '1.0', subject: message.key });
    }
    expect(faultsOf(messages.map((message) => parseCloudEvent(message.value)))).toEqual([]);
    expect(new Set(messages.map((message) => message.partition)).size).toBeGreaterThan(1);
  });

  it('fences an earlier writer and ends its transaction before it reports what exists', async () => {
    const topic = `decisions-${randomUUID()}`;
    const log = open(topic);
    await log.check();
    const position = await log.position();
    const [lost, kept] = [decision({ subject: 'lost' }), decision({ subject: 'kept' })];
    await log.append([decision({ subject: 'earlier' })]); // so that its own producer is the older one
    const zombie = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer({
      transactionalId: `scopemesh-${topic}`,
      maxInFlightRequests: 1,
    });
    await zombie.connect();
    const transaction = await zombie.transaction();
    await transaction.send({
      topic,
      messages: [{ key: lost.subject, value: JSON.stringify(toCloudEvent(lost)) }],
    });
    expect(await log.contains([lost.id], position)).toEqual(new Set());
    await expect(transaction.commit()).rejects.toThrow();
    await zombie.disconnect();
    await log.append([kept]);
    expect(await log.contains([lost.id, kept.id], position)).toEqual(new Set([kept.id]));
    await log.close();
  });

  it('shuts an earlier writer out even when it is asked for no id', async () => {
    const topic = `decisions-${randomUUID()}`;
    const [log, earlier] = [open(topic), open(topic)];
    await log.check();
    await earlier.append([decision({ revision: 1 })]);
    expect(await log.contains([], await log.position())).toEqual(new Set());
    await expect(earlier.append([decision({ revision: 2 })])).rejects.toMatchObject({
      code: 'ERR_DECISIONS_UNREACHABLE',
      retriable: true,
    });
    await Promise.all([log.close(), earlier.close()]);
  });

  it('waits for the open transaction of another writer before it reports what comes after it', async () => {
    const topic = `decisions-${randomUUID()}`;
    const log = open(topic, { createTopic: { partitions: 1, replicationFactor: 1 } });
    await log.check();
    const position = await log.position();
    const other = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer({
      transactionalId: `other-${topic}`,
      maxInFlightRequests: 1,
    });
    await other.connect();
    const transaction = await other.transaction();
    const [theirs, ours] = [decision({ subject: 'theirs' }), decision({ subject: 'ours' })];
    await transaction.send({
      topic,
      messages: [{ key: theirs.subject, value: JSON.stringify(toCloudEvent(theirs)) }],
    });
    await log.append([ours]);
    let answered = false;
    const answer = log.contains([ours.id, theirs.id], position).finally(() => {
      answered = true;
    });
    // The topic ends for readers where the other transaction begins, so that a reader sees nothing of ours.
    expect(await readTopic(kafka.broker, topic)).toEqual([]);
    expect(answered).toBe(false);
    await transaction.commit();
    expect(await answer).toEqual(new Set([ours.id, theirs.id]));
    await other.disconnect();
    await log.close();
  });

  it('says how to create a topic that is missing and that it may not create', async () => {
    const { createTopic, ...rest } = { ...openOptions(`absent-${randomUUID()}`) };
    const log = createKafkaDecisionLog(rest);
    await expect(log.check()).rejects.toMatchObject({
      code: 'ERR_DECISIONS_UNREACHABLE',
      retriable: false,
      message: expect.stringContaining('kafka-topics.sh --create'),
    });
    await log.close();
  });

  it('passes over what another program wrote to the topic', async () => {
    const topic = `decisions-${randomUUID()}`;
    const log = open(topic);
    await log.check();
    const other = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer();
    await other.connect();
    await other.send({ topic, messages: [{ value: 'not JSON' }, { value: '"text"' }, { value: null }] });
    await other.disconnect();
    const written = decision();
    await log.append([written]);
    const read = [];
    for await (const each of log.read({ from: 'start', follow: false }, AbortSignal.timeout(20_000)))
      read.push(each);
    expect(read).toEqual([written]);
    await log.close();
  });

  it('gives up on a broker that is not there, and says it may be tried again', async () => {
    const log = open('absent', { brokers: ['127.0.0.1:1'], timeoutMs: 2_000 });
    for (const attempt of [() => log.check(), () => log.position(), () => log.append([decision()])]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'ERR_DECISIONS_UNREACHABLE', retriable: true });
    }
    await log.close();
  });
});
