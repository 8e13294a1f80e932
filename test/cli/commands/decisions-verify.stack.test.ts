import { Kafka, logLevel } from 'kafkajs';
import { expect, it, onTestFinished } from 'vitest';
import { toStoredText } from '../../../src/decisions/chain.js';
import { createCommandLine } from '../../support/command-line.js';
import { decision, decisions } from '../../support/decisions.js';
import { createTopicWorld, useKafka } from '../../support/topic-world.js';

const { kafka } = useKafka();
const FORGED = decision({
  chain: { log: 'log', sequence: 1, previousHash: '0'.repeat(64), hash: '0'.repeat(64) },
});

it.each([
  ['no event', 'garbage', 'changed: the event is not one'],
  ['a decision with another hash', toStoredText(FORGED), `changed ${FORGED.id}: its content`],
])('says where a topic has %s that somebody else put there', async (_, value, fault) => {
  const world = createTopicWorld(kafka().broker);
  await world.publish(decisions(3));
  const client = new Kafka({ brokers: [kafka().broker], logLevel: logLevel.NOTHING });
  const producer = client.producer();
  await producer.connect();
  const [put] = await producer.send({ topic: world.topic, messages: [{ key: 'k', value }] });
  await producer.disconnect();
  const cli = createCommandLine();
  onTestFinished(() => cli.close());
  cli.configure({ decisions: { kind: 'kafka', brokers: [kafka().broker], topic: world.topic } });
  const place = `partition ${put?.partition}, offset ${put?.baseOffset}`;
  const { status, out } = await cli.run(['decisions', 'verify']);
  expect([status, out]).toEqual([5, expect.stringContaining(`(${place}): ${fault}`)]);
  const { json } = await cli.run(['decisions', 'verify', '--json']);
  expect(json()).toMatchObject({ verified: false, fault: { place } });
});
