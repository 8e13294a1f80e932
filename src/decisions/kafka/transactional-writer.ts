import type { Kafka, Message, Producer, Transaction } from 'kafkajs';
import type { Clock } from '../../clock.js';
import { inParts } from '../../in-parts.js';
import { closedLog } from '../log.js';
import { within } from './kafka-error.js';
import type { Offsets } from './topic.js';

export interface WriterOptions {
  readonly topic: string;
  /** Only one writer at a time uses it: a new writer ends open transactions of its predecessor and fences it. */
  readonly transactionalId: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** How long the broker keeps a transaction open after its writer is gone. */
export const TRANSACTION_TIMEOUT_MS = 30_000;
/** The largest batch of a partition in one request; brokers accept 1 MiB by default. */
const MAX_BYTES_A_REQUEST = 512 * 1024;
/** From this size on a message is compressed, because it could exceed the broker's limit. */
const LARGE_BYTES = 700 * 1024;

/**
 * Writes batches to the topic, each in one transaction. After any failure the producer is dropped and a new one begins with
 * the same transactional ID: the broker then has committed or aborted the open transaction, and refuses what the old
 * producer still sends. So after `fence` has resolved, the result of every earlier write is final.
 */
export class TransactionalWriter {
  readonly #kafka: () => Promise<Kafka>;
  readonly #options: WriterOptions;
  #producer: Producer | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #written = new Map<number, bigint>();

  constructor(kafka: () => Promise<Kafka>, options: WriterOptions) {
    this.#kafka = kafka;
    this.#options = options;
  }

  /** The offset after the first of the last written messages of each partition; readers may see them a little later. */
  get written(): Offsets {
    return this.#written;
  }

  /** All or none. After an error it is unknown whether they are in. */
  async write(messages: readonly Message[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#exclusive('writing decisions', async (attempt) => {
      const transaction = await this.#begin(attempt);
      const written = new Map<number, bigint>();
      for (const part of inParts(messages, MAX_BYTES_A_REQUEST, bytesOf)) {
        for (const [partition, first] of await this.#send(transaction, part))
          written.set(partition, first + 1n);
      }
      await transaction.commit();
      for (const [partition, end] of written) this.#written.set(partition, end);
    });
  }

  /** Fences every earlier writer and ends its transaction. */
  async fence(): Promise<void> {
    await this.#exclusive('taking over the transactional id', async (attempt) => {
      void this.#giveUp();
      const transaction = await this.#begin(attempt);
      await transaction.abort();
    });
  }

  /**
   * The end of each partition, including open transactions of other writers. The broker reports it only to writers, so a
   * transaction writes one message to each partition and is aborted; readers never see these messages.
   */
  async probe(partitions: readonly number[]): Promise<Offsets> {
    return this.#exclusive('finding the end of the topic', async (attempt) => {
      const transaction = await this.#begin(attempt);
      const messages = partitions.map((partition) => ({ partition, key: null, value: null }));
      const ends = await this.#send(transaction, messages);
      await transaction.abort();
      return ends;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#giveUp();
  }

  /** Resolves with the offset of the first message in each partition. */
  async #send(transaction: Transaction, messages: readonly Message[]): Promise<Offsets> {
    const { CompressionTypes } = await import('kafkajs');
    const large = messages.some((message) => bytesOf(message) > LARGE_BYTES);
    const sent = await transaction.send({
      topic: this.#options.topic,
      acks: -1,
      timeout: this.#options.timeoutMs,
      messages: [...messages],
      compression: large ? CompressionTypes.GZIP : CompressionTypes.None,
    });
    return new Map(sent.map(({ partition, baseOffset }) => [partition, BigInt(baseOffset ?? 0)]));
  }

  async #begin(attempt: AbortSignal): Promise<Transaction> {
    const producer = this.#producer ?? (await this.#connect(attempt));
    return producer.transaction();
  }

  async #connect(attempt: AbortSignal): Promise<Producer> {
    const { Partitioners } = await import('kafkajs');
    const kafka = await this.#kafka();
    // Not `idempotent`, which is for sends outside of transactions: it would use a second producer ID and retry forever
    // after the producer was dropped. Within a transaction each send is idempotent anyway.
    const producer = kafka.producer({
      transactionalId: this.#options.transactionalId,
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    attempt.throwIfAborted();
    this.#producer = producer;
    await producer.connect();
    return producer;
  }

  async #giveUp(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.disconnect().catch(() => {});
  }

  async #exclusive<T>(doing: string, operation: (attempt: AbortSignal) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      if (this.#closed) throw closedLog();
      const attempt = new AbortController();
      const running = operation(attempt.signal);
      try {
        return await within(this.#options.timeoutMs, doing, this.#options.clock, running);
      } catch (error) {
        attempt.abort();
        const producer = this.#producer;
        void this.#giveUp();
        // The running operation may connect again; then this connection is closed as well.
        void running.catch(() => {}).finally(() => void producer?.disconnect().catch(() => {}));
        throw error;
      }
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

function bytesOf({ key, value }: Message): number {
  return (key?.length ?? 0) + (value === null ? 0 : Buffer.byteLength(value)) + 128;
}
