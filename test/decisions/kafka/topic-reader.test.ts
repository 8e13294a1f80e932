import type { Kafka } from 'kafkajs';
import { expect, it, vi } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { MessageQueue } from '../../../src/decisions/kafka/message-queue.js';
import { readCommitted, type TopicMessage, TopicReader } from '../../../src/decisions/kafka/topic-reader.js';

type Listener = (event: { readonly payload: unknown }) => void;
interface Handlers {
  readonly eachBatch: (batch: unknown) => Promise<void>;
}

interface Batch {
  readonly first: number | null;
  readonly offsets: readonly number[];
  readonly last: number;
}
type Emit = (name: string, payload: unknown) => void;

/**
 * A consumer that processes batches as kafkajs does, a message without a value where the offset is negative: `first`
 * counts transaction markers, `offsets` does not. A function is what happens between two batches.
 */
function kafkaWith(
  steps: readonly (Batch | ((emit: Emit) => void | Promise<void>))[],
  { heartbeat = async () => {}, connect = async () => {} } = {},
) {
  const calls: [name: string, question: unknown][] = [];
  const listeners = new Map<string, Listener>();
  const emit: Emit = (name, payload) => listeners.get(`consumer.${name}`)?.({ payload });
  const notes = (name: string) => (question: unknown) => void calls.push([name, question]);
  const consumer = {
    on: (name: string, listener: Listener) => listeners.set(name, listener),
    connect,
    subscribe: notes('subscribe'),
    disconnect: notes('disconnect'),
    seek: notes('seek'),
    pause: notes('pause'),
    resume: notes('resume'),
    async run({ eachBatch, ...options }: Handlers) {
      calls.push(['run', options]);
      for (const step of steps) {
        if (typeof step === 'function') {
          await step(emit);
          continue;
        }
        const { first, offsets, last } = step;
        const payload = {
          partition: 0,
          firstOffset: first === null ? null : `${first}`,
          lastOffset: `${last}`,
        };
        emit('start_batch_process', payload);
        const messages = offsets.map((offset) => ({
          offset: `${Math.abs(offset)}`,
          value: offset < 0 ? null : Buffer.from('{}'),
        }));
        if (messages.length > 0) await eachBatch({ batch: { partition: 0, messages }, heartbeat });
        emit('end_batch_process', payload);
      }
    },
  };
  const kafka = {
    consumer(options: unknown) {
      calls.push(['consumer', options]);
      return consumer;
    },
  } as unknown as Kafka;
  return {
    kafka,
    calls,
    asked: (name: string) => calls.filter(([of]) => of === name).map(([, each]) => each),
  };
}

const from = (offset: bigint) => new Map([[0, offset]]);
const OPTIONS = { topic: 't', clientId: 'c', clock: systemClock, patienceMs: 60_000 };
const idle = () => new AbortController().signal;

async function offsetsIn(messages: AsyncIterable<TopicMessage>): Promise<number[]> {
  const found: number[] = [];
  for await (const { offset } of messages) found.push(Number(offset));
  return found;
}

it('tells after which messages Kafka deleted some that were to be read, not where a transaction ends', async () => {
  const { kafka } = kafkaWith([
    { first: 5, offsets: [5, 7], last: 8 },
    { first: 9, offsets: [], last: 9 },
    { first: 10, offsets: [10], last: 11 },
    { first: 40, offsets: [], last: 41 },
    { first: 42, offsets: [42, 43], last: 44 },
  ]);
  const seen: [number, boolean][] = [];
  for await (const each of readCommitted(kafka, { ...OPTIONS, start: from(5n), end: from(45n) }, idle()))
    seen.push([Number(each.offset), each.isAfterGap === true]);
  expect(seen).toEqual([
    [5, false],
    [7, false],
    [10, false],
    [42, true],
    [43, false],
  ]);
});

it('goes on where the last read ended, with the same consumer, which fetches nothing between the reads', async () => {
  const { kafka, calls, asked } = kafkaWith([
    { first: 0, offsets: [0, 1], last: 2 },
    { first: 3, offsets: [3], last: 4 },
  ]);
  const reader = new TopicReader(kafka, { ...OPTIONS, start: from(0n) });
  const offsets = (end: bigint) => offsetsIn(reader.read(from(end), idle()));
  expect(await offsets(2n)).toEqual([0, 1]);
  expect(await offsets(5n)).toEqual([3]);
  expect(await offsets(5n)).toEqual([]);
  expect(asked('consumer')).toHaveLength(1);
  const fetching = calls.filter(([name]) => name === 'pause' || name === 'resume');
  expect(fetching).toEqual(
    Array.from({ length: 3 }, () => ['resume', 'pause'].map((name) => [name, [{ topic: 't' }]])).flat(),
  );
  await reader.close();
});

it('waits once for room, however long its own reader takes', async () => {
  const looks = vi.spyOn(MessageQueue.prototype, 'room', 'get');
  const [count, beats] = [1_002, 200];
  let goOn: () => void = () => {};
  const waited = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let heartbeats = 0;
  const heartbeat = async () => {
    if (++heartbeats === beats) goOn();
  };
  const batch = { first: 0, offsets: [...Array(count).keys()], last: count - 1 };
  const { kafka } = kafkaWith([batch], { heartbeat });
  const clock: Clock = { now: systemClock.now, sleep: (_, signal) => systemClock.sleep(0, signal) };
  const reading = readCommitted(kafka, { ...OPTIONS, clock, start: from(0n) }, idle());
  let taken = 0;
  for await (const _ of reading) {
    // Meanwhile the queue is full.
    if (taken++ === 0) await waited;
    if (taken === count) break;
  }
  expect(heartbeats).toBeGreaterThanOrEqual(beats);
  expect(looks.mock.calls.length).toBeLessThanOrEqual(count);
  looks.mockRestore();
});

it('joins a group of its own that commits nothing, creates no topic, and is left at the end', async () => {
  const { kafka, calls } = kafkaWith([{ first: 0, offsets: [0], last: 1 }]);
  await offsetsIn(readCommitted(kafka, { ...OPTIONS, start: from(0n), end: from(2n) }, idle()));
  const groupId = expect.stringMatching(/^c-reader-[0-9a-f-]{36}$/);
  expect(calls).toEqual([
    ['consumer', expect.objectContaining({ groupId, allowAutoTopicCreation: false })],
    ['resume', [{ topic: 't' }]],
    ['subscribe', { topics: ['t'], fromBeginning: true }],
    ['run', { autoCommit: false }],
    ['pause', [{ topic: 't' }]],
    ['disconnect', undefined],
  ]);
});

it('gives each message once, from its start on, whatever the brokers send again when the group is joined', async () => {
  const joins = (emit: Emit) => emit('group_join', { memberAssignment: { t: [0, 1], other: [0] } });
  const { kafka, asked } = kafkaWith([
    joins,
    { first: 3, offsets: [3, 4, 5, 5, -6, 7], last: 8 },
    (emit) => emit('crash', { restart: true, error: new Error('rebalancing') }),
    (emit) => emit('group_join', { memberAssignment: {} }),
    joins,
    { first: 5, offsets: [5], last: 6 },
    { first: null, offsets: [], last: 6 },
    { first: 7, offsets: [7, 9], last: 9 },
  ]);
  const reading = readCommitted(kafka, { ...OPTIONS, start: from(5n), end: from(10n) }, idle());
  expect(await offsetsIn(reading)).toEqual([5, 7, 9]);
  expect(asked('seek')).toEqual(['5', '9'].map((offset) => ({ topic: 't', partition: 0, offset })));
});

it('ends at its end, even where the brokers have sent more, and goes on there', async () => {
  let isSent: () => void = () => {};
  const sent = new Promise<void>((resolve) => {
    isSent = resolve;
  });
  const { kafka } = kafkaWith([{ first: 0, offsets: [0, 1, 2], last: 3 }, () => isSent()]);
  const reader = new TopicReader(kafka, { ...OPTIONS, start: from(0n) });
  await sent;
  for (const at of [0, 1, 2])
    expect(await offsetsIn(reader.read(from(BigInt(at) + 1n), idle()))).toEqual([at]);
  await reader.close();
});

it('asks no broker where nothing is to be read', async () => {
  const { kafka, calls } = kafkaWith([]);
  const options = { ...OPTIONS, start: from(5n) };
  expect(await offsetsIn(readCommitted(kafka, options, AbortSignal.abort()))).toEqual([]);
  expect(await offsetsIn(readCommitted(kafka, { ...options, end: from(5n) }, idle()))).toEqual([]);
  expect(calls).toEqual([]);
});

it.each([
  ['the brokers refuse the connection', [], { connect: () => Promise.reject(new Error('away')) }],
  [
    'the consumer gives up',
    [(emit: Emit) => emit('crash', { restart: false, error: new Error('away') })],
    {},
  ],
])('fails when %s, and may be tried again', async (_, steps, more) => {
  const { kafka, asked } = kafkaWith(steps, more);
  const reading = readCommitted(kafka, { ...OPTIONS, start: from(0n) }, idle());
  await expect(offsetsIn(reading)).rejects.toMatchObject({
    code: 'ERR_DECISIONS_UNREACHABLE',
    message: 'Kafka: reading decisions failed: away.',
    retriable: true,
  });
  expect(asked('disconnect')).toHaveLength(1);
});

it('waits for messages with patience up to an end, and for as long as it takes without one', async () => {
  const waits: AbortSignal[] = [];
  let isLate = false;
  const sleep: Clock['sleep'] = async (ms, signal = idle()) => {
    if (ms !== OPTIONS.patienceMs) return systemClock.sleep(ms, signal);
    waits.push(signal);
    if (!isLate) await systemClock.sleep(ms, signal);
  };
  const options = { ...OPTIONS, clock: { now: systemClock.now, sleep }, start: from(0n) };
  const soon = () => systemClock.sleep(1);
  const batch = { first: 0, offsets: [0], last: 1 };
  const punctual = readCommitted(kafkaWith([soon, batch]).kafka, { ...options, end: from(2n) }, idle());
  expect(await offsetsIn(punctual)).toEqual([0]);
  expect(waits.map(({ aborted }) => aborted)).not.toContain(false);
  isLate = true;
  const late = readCommitted(kafkaWith([]).kafka, { ...options, end: from(2n) }, idle());
  await expect(offsetsIn(late)).rejects.toMatchObject({
    code: 'ERR_DECISIONS_UNREACHABLE',
    message: 'Kafka returned no decisions for 60000 ms.',
    retriable: true,
  });
  const stop = new AbortController();
  const endless = kafkaWith([soon, batch, soon, () => stop.abort()]).kafka;
  expect(await offsetsIn(readCommitted(endless, options, stop.signal))).toEqual([0]);
});

it('that is closed while it connects leaves without having read', async () => {
  let goOn: () => void = () => {};
  const connected = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const { kafka, calls } = kafkaWith([], { connect: () => connected });
  const reader = new TopicReader(kafka, { ...OPTIONS, start: from(0n) });
  const closed = reader.close();
  goOn();
  await closed;
  expect(calls.map(([name]) => name)).toEqual(['consumer', 'subscribe', 'disconnect']);
  expect(await offsetsIn(reader.read(undefined, idle()))).toEqual([]);
});
