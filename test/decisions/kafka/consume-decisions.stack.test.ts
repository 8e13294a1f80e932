import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConsumeOptions,
  consumeDecisions,
  type Decision,
  toCloudEvent,
} from '../../../src/decisions/index.js';
import { type KafkaHandle, startKafka } from '../../stack/kafka.js';
import { decision, decisions, faultsOf } from '../../support/decisions.js';
import { chained, signer, stranger } from '../../support/signed-log.js';

let kafka: KafkaHandle;
let producer: Producer;
let topic: string;
let options: ConsumeOptions;
beforeAll(async () => {
  kafka = await startKafka();
  producer = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
});
beforeEach(async () => {
  topic = `decisions-${randomUUID()}`;
  await kafka.createTopic(topic, 3);
  options = { brokers: [kafka.broker], topic, keys: [signer.verifierKey], groupId: `audit-${randomUUID()}` };
});
afterAll(async () => {
  await producer?.disconnect();
  await kafka?.stop();
});

const send = (written: readonly Decision[]) =>
  producer.send({
    topic,
    messages: written.map((each) => ({ key: each.subject, value: JSON.stringify(toCloudEvent(each)) })),
  });

/** Consumes until so many were handled, and then stops in order. */
async function take(count: number, changes: Partial<ConsumeOptions> = {}): Promise<Decision[]> {
  const stop = new AbortController();
  const taken: Decision[] = [];
  const handler = (each: Decision) => {
    taken.push(each);
    if (taken.length === count) stop.abort();
  };
  await consumeDecisions({ ...options, ...changes }, handler, stop.signal);
  return taken;
}

describe('consuming decisions', () => {
  it('gives every decision, and goes on in the next call where the last one ended', async () => {
    await send(chained(decisions(90, 6)));
    const first = await take(40);
    const second = await take(50);
    expect(first).toHaveLength(40);
    expect(faultsOf([...first, ...second])).toEqual([]);
  });

  it('gives a decision that is there twice once', async () => {
    const [twice = decision(), last = twice] = chained([
      decision({ revision: 1 }),
      decision({ revision: 2 }),
    ]);
    await send([twice]);
    await send([twice, last]);
    expect(await take(2)).toEqual([twice, last]);
  });

  it('rejects with what the handler threw, and gives that decision again in the next call', async () => {
    const written = chained(decisions(3, 1));
    await send(written);
    const seen: number[] = [];
    const failing = consumeDecisions(
      options,
      async (each) => {
        seen.push(each.revision);
        if (each.revision === 2) throw new RangeError('the archive is full');
      },
      AbortSignal.timeout(60_000),
    );
    await expect(failing).rejects.toThrowError(new RangeError('the archive is full'));
    expect(seen).toEqual([1, 2]);
    expect((await take(2)).map((each) => each.revision)).toEqual([2, 3]);
  });

  it('reports what is not a decision, and skips it', async () => {
    await producer.send({ topic, messages: [{ key: 'k', value: 'not JSON' }] });
    const [written = decision()] = chained([decision({ subject: 'k' })]);
    const [forged = written] = chained([decision({ subject: 'k' })], 'one', stranger);
    const { chain: _, ...unchained } = forged;
    await send([forged, unchained, { ...written, reason: 'ScopeGranted' }, written]);
    const errors: string[] = [];
    expect(await take(1, { onInvalid: (error) => errors.push(error.message) })).toEqual([written]);
    expect(errors).toEqual([
      'Not a decision event: the text is not JSON.',
      ...Array(3).fill('None of the keys signed the decision.'),
    ]);
  });

  it('rejects when there is no broker', async () => {
    const alone = consumeDecisions(
      { ...options, brokers: ['127.0.0.1:1'] },
      () => {},
      AbortSignal.timeout(60_000),
    );
    await expect(alone).rejects.toMatchObject({ code: 'ERR_DECISIONS_UNREACHABLE' });
  });
});
