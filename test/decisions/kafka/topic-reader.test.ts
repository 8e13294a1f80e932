import type { Kafka } from 'kafkajs';
import { expect, it, vi } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { MessageQueue } from '../../../src/decisions/kafka/message-queue.js';
import { readCommitted, TopicReader } from '../../../src/decisions/kafka/topic-reader.js';

type Listener = (event: { readonly payload: unknown }) => void;
interface Handlers {
  readonly eachBatch: (batch: unknown) => Promise<void>;
}

/** A consumer that processes batches as kafkajs does: `first` counts transaction markers, `offsets` does not. */
function kafkaWith(
  batches: readonly { first: number; offsets: readonly number[]; last: number }[],
  heartbeat = async () => {},
  fetching: string[] = [],
): Kafka {
  const listeners = new Map<string, Listener>();
  const emit = (name: string, payload: unknown) => listeners.get(`consumer.${name}`)?.({ payload });
  const consumer = {
    on: (name: string, listener: Listener) => listeners.set(name, listener),
    connect: async () => {},
    subscribe: async () => {},
    disconnect: async () => {},
    seek: () => {},
    pause: () => void fetching.push('pause'),
    resume: () => void fetching.push('resume'),
    async run({ eachBatch }: Handlers) {
      for (const { first, offsets, last } of batches) {
        const payload = { partition: 0, firstOffset: `${first}`, lastOffset: `${last}` };
        emit('start_batch_process', payload);
        const messages = offsets.map((offset) => ({ offset: `${offset}`, value: Buffer.from('{}') }));
        if (messages.length > 0) await eachBatch({ batch: { partition: 0, messages }, heartbeat });
        emit('end_batch_process', payload);
      }
    },
  };
  return { consumer: () => consumer } as unknown as Kafka;
}

it('tells after which messages Kafka deleted some that were to be read, not where a transaction ends', async () => {
  const kafka = kafkaWith([
    { first: 5, offsets: [5, 7], last: 8 },
    { first: 9, offsets: [], last: 9 },
    { first: 10, offsets: [10], last: 11 },
    { first: 40, offsets: [], last: 41 },
    { first: 42, offsets: [42, 43], last: 44 },
  ]);
  const options = { topic: 't', clientId: 'c', clock: systemClock, patienceMs: 60_000 };
  const range = { start: new Map([[0, 5n]]), end: new Map([[0, 45n]]) };
  const seen: [number, boolean][] = [];
  for await (const each of readCommitted(kafka, { ...options, ...range }, new AbortController().signal))
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
  const fetching: string[] = [];
  const kafka = kafkaWith(
    [
      { first: 0, offsets: [0, 1], last: 2 },
      { first: 3, offsets: [3], last: 4 },
    ],
    undefined,
    fetching,
  );
  const consumers = vi.spyOn(kafka, 'consumer');
  const start = new Map([[0, 0n]]);
  const reader = new TopicReader(kafka, {
    topic: 't',
    clientId: 'c',
    clock: systemClock,
    patienceMs: 60_000,
    start,
  });
  const offsets = async (end: bigint) => {
    const found: number[] = [];
    for await (const { offset } of reader.read(new Map([[0, end]]), new AbortController().signal))
      found.push(Number(offset));
    return found;
  };
  expect(await offsets(2n)).toEqual([0, 1]);
  expect(await offsets(5n)).toEqual([3]);
  expect(await offsets(5n)).toEqual([]);
  expect(consumers).toHaveBeenCalledOnce();
  expect(fetching).toEqual(Array.from({ length: 3 }, () => ['resume', 'pause']).flat());
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
  const kafka = kafkaWith([{ first: 0, offsets: [...Array(count).keys()], last: count - 1 }], async () => {
    if (++heartbeats === beats) goOn();
  });
  const clock: Clock = { now: systemClock.now, sleep: (_, signal) => systemClock.sleep(0, signal) };
  const options = { topic: 't', clientId: 'c', clock, patienceMs: 60_000, start: new Map([[0, 0n]]) };
  const reading = readCommitted(kafka, options, new AbortController().signal);
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
