import { CompressionTypes, type Kafka, type Message, Partitioners } from 'kafkajs';
import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { TransactionalWriter } from '../../../src/decisions/kafka/transactional-writer.js';

type Step = 'connect' | 'send' | 'commit' | 'abort';

/** Brokers that note what a producer does, by its number, and fail or wait where a test says so. */
function brokers({ clock = systemClock, getClient = async () => {} } = {}) {
  const done: string[] = [];
  const producers: object[] = [];
  const sent: { readonly messages: readonly Message[]; readonly compression: number }[] = [];
  const faults = new Map<Step, () => Promise<unknown>>();
  const kafka = {
    producer(options: object) {
      const number = producers.push(options);
      const step = (name: Step | 'begin' | 'disconnect') => async () => {
        done.push(`${name} ${number}`);
        await faults.get(name as Step)?.();
      };
      const transaction = {
        commit: step('commit'),
        abort: step('abort'),
        async send(request: (typeof sent)[number]) {
          sent.push(request);
          await step('send')();
          return [
            { partition: 0, baseOffset: `${10 * sent.length}` },
            { partition: 1, baseOffset: undefined },
          ];
        },
      };
      return {
        connect: step('connect'),
        transaction: () => step('begin')().then(() => transaction),
        async disconnect() {
          await step('disconnect')();
          throw new Error('it was closed before');
        },
      };
    },
  } as unknown as Kafka;
  const options = { topic: 't', transactionalId: 'scopemesh-t', timeoutMs: 5_000, clock };
  const writer = new TransactionalWriter(() => getClient().then(() => kafka), options);
  return { writer, done, producers, sent, faults };
}

const message = (bytes = 1): Message => ({ key: 'k', value: 'x'.repeat(bytes) });
const fails = () => Promise.reject(new Error('away'));
const UNREACHABLE = { code: 'ERR_DECISIONS_UNREACHABLE', retriable: true };
function gate() {
  let open: () => void = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}
const turns = () => new Promise((resolve) => setImmediate(resolve));

it('writes a batch in one transaction, in requests that brokers accept, and knows where it ends', async () => {
  const { writer, done, sent, producers } = brokers();
  await writer.write([]);
  expect([done, [...writer.written]]).toEqual([[], []]);
  await writer.write([message(300_000), message(200_000), message(300_000)]);
  await writer.write([{ key: null, value: null }]);
  const writing = ['begin 1', 'send 1', 'send 1', 'commit 1', 'begin 1', 'send 1', 'commit 1'];
  expect(done).toEqual(['connect 1', ...writing]);
  expect(sent.map(({ messages }) => messages.length)).toEqual([2, 1, 1]);
  const always = { topic: 't', acks: -1, timeout: 5_000, compression: CompressionTypes.None };
  expect(sent[2]).toEqual({ ...always, messages: [{ key: null, value: null }] });
  expect([...writer.written]).toEqual([
    [0, 31n],
    [1, 1n],
  ]);
  expect(producers).toEqual([
    {
      transactionalId: 'scopemesh-t',
      transactionTimeout: 30_000,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    },
  ]);
});

it('compresses a message that alone could be too large for a broker, by its bytes', async () => {
  const { writer, sent } = brokers();
  await writer.write([message(1), { key: 'k', value: 'é'.repeat(400_000) }]);
  await writer.write([message(700 * 1024 - 129)]);
  await writer.write([message(700 * 1024 - 128)]);
  const [none, gzip] = [CompressionTypes.None, CompressionTypes.GZIP];
  expect(sent.map(({ compression }) => compression)).toEqual([none, gzip, none, gzip]);
});

it.each<Step>(['connect', 'send', 'commit'])(
  'drops its producer when a write fails, and goes on with a new one that fences it: %s',
  async (step) => {
    const { writer, done, faults, producers } = brokers();
    faults.set(step, fails);
    await expect(writer.write([message()])).rejects.toMatchObject({
      ...UNREACHABLE,
      message: 'Kafka: writing decisions failed: away.',
    });
    expect([...writer.written]).toEqual([]);
    faults.clear();
    await writer.write([message()]);
    expect(done).toContain('disconnect 1');
    expect(done.slice(-4)).toEqual(['connect 2', 'begin 2', 'send 2', 'commit 2']);
    expect(producers[1]).toEqual(producers[0]);
  },
);

it('takes over from every earlier producer, its own too, without writing anything', async () => {
  const { writer, done, sent, faults } = brokers();
  await writer.write([message()]);
  done.length = 0;
  await writer.fence();
  expect(done).toEqual(['disconnect 1', 'connect 2', 'begin 2', 'abort 2']);
  expect(sent).toHaveLength(1);
  faults.set('abort', fails);
  await expect(writer.fence()).rejects.toThrow('Kafka: taking over the transactional id failed: away.');
});

it('finds the end of each partition by messages that no reader sees', async () => {
  const { writer, done, sent, faults } = brokers();
  expect([...(await writer.probe([0, 1]))]).toEqual([
    [0, 10n],
    [1, 0n],
  ]);
  expect(sent[0]?.messages).toEqual([0, 1].map((partition) => ({ partition, key: null, value: null })));
  expect(done).toEqual(['connect 1', 'begin 1', 'send 1', 'abort 1']);
  expect([...writer.written]).toEqual([]);
  faults.set('abort', fails);
  await expect(writer.probe([0])).rejects.toThrow('Kafka: finding the end of the topic failed: away.');
});

it('makes one transaction after the other, even after one that fails', async () => {
  const { writer, done, faults } = brokers();
  const { open, passed } = gate();
  faults.set('commit', () => passed.then(fails));
  const first = writer.write([message()]);
  const second = writer.fence();
  await turns();
  expect(done).toEqual(['connect 1', 'begin 1', 'send 1', 'commit 1']);
  open();
  await expect(first).rejects.toMatchObject(UNREACHABLE);
  await second;
  expect(done).toContain('abort 2');
});

it('leaves no connection open of a write that takes too long, however late it connects', async () => {
  const [timeIsOver, connection, client] = [gate(), gate(), gate()];
  const sleep: Clock['sleep'] = (ms, signal) =>
    Promise.race([systemClock.sleep(ms, signal), timeIsOver.passed]);
  let isSlow = false;
  const getClient = async () => {
    if (isSlow) await client.passed;
  };
  const { writer, done, faults } = brokers({ clock: { now: systemClock.now, sleep }, getClient });
  faults.set('connect', () => connection.passed);
  const late = writer.write([message()]);
  await turns();
  timeIsOver.open();
  await expect(late).rejects.toThrow('Kafka: writing decisions took longer than 5000 ms.');
  expect(done).toEqual(['connect 1', 'disconnect 1']);
  connection.open();
  await turns();
  // Also what the late write opened after that.
  expect(done.filter((each) => each === 'disconnect 1')).toHaveLength(2);
  isSlow = true;
  await expect(writer.write([message()])).rejects.toMatchObject(UNREACHABLE);
  client.open();
  await turns();
  expect(done).not.toContain('connect 2');
});

it('writes nothing more once it is closed', async () => {
  const { writer, done, producers } = brokers();
  await writer.write([message()]);
  await writer.close();
  await writer.close();
  expect(done.filter((each) => each.startsWith('disconnect'))).toEqual(['disconnect 1']);
  for (const attempt of [() => writer.write([message()]), () => writer.fence(), () => writer.probe([0])])
    await expect(attempt()).rejects.toMatchObject({ code: 'ERR_DECISIONS_UNREACHABLE' });
  expect(producers).toHaveLength(1);
});
