import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { toSyncError, within } from './kafka-error.js';
import { MessageQueue } from './message-queue.js';
import type { Offsets } from './topic.js';

export interface TopicReaderOptions {
  readonly topic: string;
  /** Prefix of the consumer group, which only this reader uses and which never commits. */
  readonly clientId: string;
  /** The first offset to read of each partition. */
  readonly start: Offsets;
  /** How long the brokers may return nothing before a read with an end fails. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

const MAX_WAITING = 1_000;
const DISCONNECT_MS = 5_000;
const FETCH_WAIT_MS = 250;
const HEARTBEAT_MS = 3_000;
const SESSION_MS = 30_000;

/** One committed message. */
export interface TopicMessage {
  readonly partition: number;
  readonly offset: bigint;
  readonly value: string;
  /** Kafka deleted what was before it while it was to be read. */
  readonly isAfterGap?: true;
}

/**
 * The committed messages, in order within each partition, each exactly once. Ends when the end is reached
 * or the signal is aborted. Throws SyncError ERR_DECISIONS_UNREACHABLE.
 */
export async function* readCommitted(
  kafka: Kafka,
  { end, ...options }: TopicReaderOptions & { readonly end?: Offsets },
  signal: AbortSignal,
): AsyncIterable<TopicMessage> {
  if (signal.aborted || (end !== undefined && reached(options.start, end))) return;
  const reader = new TopicReader(kafka, options);
  try {
    yield* reader.read(end, signal);
  } finally {
    await reader.close();
  }
}

/**
 * A consumer in a group of its own. To join a group takes some seconds, so that one reader is used for as many reads as
 * possible. Each message is given once.
 */
export class TopicReader {
  readonly #options: TopicReaderOptions;
  readonly #consumer: Consumer;
  readonly #queue = new MessageQueue<TopicMessage>(MAX_WAITING);
  /** Behind what the consumer has fetched. */
  readonly #next: Map<number, bigint>;
  /** Behind what the reads gave. */
  readonly #passed: Map<number, bigint>;
  /** The partitions of which something was deleted before it was read. */
  readonly #gaps = new Set<number>();
  readonly #running: Promise<void>;

  constructor(kafka: Kafka, options: TopicReaderOptions) {
    this.#options = options;
    this.#next = new Map(options.start);
    this.#passed = new Map(options.start);
    this.#consumer = kafka.consumer({
      groupId: `${options.clientId}-reader-${randomUUID()}`,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
    });
    this.#follow();
    this.#running = this.#run().catch((error: unknown) => this.#fail(error));
  }

  /** The messages up to an end, and maybe some behind it; without an end, until the signal aborts. One read at a time. */
  async *read(end: Offsets | undefined, signal: AbortSignal): AsyncIterable<TopicMessage> {
    const queue = this.#queue;
    const wake = () => queue.wake();
    signal.addEventListener('abort', wake, { once: true });
    this.#fetch('resume');
    try {
      for (;;) {
        if (signal.aborted || (end !== undefined && reached(this.#passed, end))) return;
        const message = queue.shift();
        if (message !== undefined) {
          this.#passed.set(message.partition, message.offset + 1n);
          yield message;
          continue;
        }
        if (queue.isEnded) return;
        // Behind the last message there are markers of transactions.
        for (const [partition, offset] of this.#next) this.#passed.set(partition, offset);
        if (end === undefined || !reached(this.#passed, end)) await this.#more(end !== undefined);
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#fetch('pause');
    }
  }

  /** Otherwise the consumer asks the brokers several times a second while nothing is read. */
  #fetch(what: 'pause' | 'resume'): void {
    try {
      this.#consumer[what]([{ topic: this.#options.topic }]);
    } catch {
      // It does not run yet, or starts again after a failure. Then it is not paused.
    }
  }

  async close(): Promise<void> {
    this.#queue.end();
    // A disconnect while it still connects would leave the connection open.
    const leaving = this.#running.then(() => this.#consumer.disconnect());
    await within(DISCONNECT_MS, 'leaving the topic', this.#options.clock, leaving).catch(() => {});
  }

  async #more(isImpatient: boolean): Promise<void> {
    const { clock, patienceMs } = this.#options;
    if (!isImpatient) return this.#queue.wait();
    const waited = new AbortController();
    const isLate = await Promise.race([
      this.#queue.wait().then(() => false),
      clock.sleep(patienceMs, waited.signal).then(
        () => true,
        () => false,
      ),
    ]);
    waited.abort();
    if (!isLate) return;
    throw new SyncError('ERR_DECISIONS_UNREACHABLE', `Kafka returned no decisions for ${patienceMs} ms.`, {
      retriable: true,
    });
  }

  #fail(error: unknown): void {
    this.#queue.end(toSyncError(error, 'reading decisions'));
  }

  async #run(): Promise<void> {
    const next = this.#next;
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [this.#options.topic], fromBeginning: true });
    const eachBatch = async ({ batch, heartbeat }: EachBatchPayload) => {
      const { partition } = batch;
      for (const { offset, value } of batch.messages) {
        const at = BigInt(offset);
        // A fetch that began before the position was set can return older messages.
        if (at < (next.get(partition) ?? 0n)) continue;
        next.set(partition, at + 1n);
        if (value !== null) {
          const message = { partition, offset: at, value: value.toString('utf8') };
          this.#queue.push(this.#gaps.delete(partition) ? { ...message, isAfterGap: true } : message);
        }
        await this.#room(heartbeat);
      }
    };
    if (this.#queue.isEnded) return;
    await this.#consumer.run({ autoCommit: false, eachBatch });
  }

  /** Tracks the position of each partition, and sets it again whenever the group is joined again. */
  #follow(): void {
    const { topic } = this.#options;
    const consumer = this.#consumer;
    const next = this.#next;
    consumer.on('consumer.group_join', ({ payload }) => {
      for (const partition of payload.memberAssignment[topic] ?? []) {
        const offset = next.get(partition);
        if (offset !== undefined) consumer.seek({ topic, partition, offset: offset.toString() });
      }
    });
    // After deletions kafkajs goes on at the oldest message. The first offset counts aborted messages and transaction markers.
    consumer.on('consumer.start_batch_process', ({ payload: { partition, firstOffset } }) => {
      const expected = next.get(partition);
      if (firstOffset !== null && expected !== undefined && BigInt(firstOffset) > expected)
        this.#gaps.add(partition);
    });
    // Also emitted for batches with only aborted messages and transaction markers.
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      const behind = BigInt(payload.lastOffset) + 1n;
      if (behind > (next.get(payload.partition) ?? 0n)) next.set(payload.partition, behind);
      this.#queue.wake();
    });
    consumer.on('consumer.crash', ({ payload }) => {
      if (!payload.restart) this.#fail(payload.error);
    });
  }

  /** Waits while the reader is behind, and sends heartbeats to the brokers. */
  async #room(heartbeat: () => Promise<void>): Promise<void> {
    // Once: each look at a full queue adds a waiter to it.
    const free = this.#queue.room.then(() => true);
    for (;;) {
      const waited = new AbortController();
      const beat = this.#options.clock.sleep(HEARTBEAT_MS, waited.signal).then(
        () => false,
        () => true,
      );
      const roomy = await Promise.race([free, beat]);
      waited.abort();
      if (roomy) return;
      await heartbeat();
    }
  }
}

function reached(next: Offsets, end: Offsets): boolean {
  for (const [partition, offset] of end) if ((next.get(partition) ?? 0n) < offset) return false;
  return true;
}
