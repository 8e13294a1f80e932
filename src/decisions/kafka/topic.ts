import type { Admin, Kafka } from 'kafkajs';
import type { Clock } from '../../clock.js';
import type { SyncError } from '../../errors.js';
import { MissingTopic } from '../log.js';
import { isDenied, isLeaderless, isUnknownTopic, toSyncError, within } from './kafka-error.js';

/** Offsets by partition. */
export type Offsets = ReadonlyMap<number, bigint>;

export interface TopicOptions {
  readonly topic: string;
  /** Present if the topic may be created; a replication factor of -1 leaves it to the brokers. */
  readonly createTopic?: { readonly partitions: number; readonly replicationFactor: number };
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const LEADER_WAIT_MS = 100;

/** The topic through the admin API: whether it exists, and where it begins and ends. */
export class KafkaTopic {
  readonly #kafka: () => Promise<Kafka>;
  readonly #options: TopicOptions;
  #admin: Promise<Admin> | undefined;
  #clusterId: string | undefined;

  constructor(kafka: () => Promise<Kafka>, options: TopicOptions) {
    this.#kafka = kafka;
    this.#options = options;
  }

  /** Creates the topic if it is missing and may be created; otherwise throws an error that says how to create it. */
  async check(): Promise<void> {
    const { topic, createTopic } = this.#options;
    await this.#use('looking for the topic', async (admin) => {
      // A request for a topic's metadata can create it with the broker's defaults; the list does not.
      if ((await admin.listTopics()).includes(topic)) return;
      if (createTopic === undefined)
        throw missingTopic(this.#options, 'or grant scopemesh the operation Describe on it');
      const { partitions, replicationFactor } = createTopic;
      try {
        const request = {
          topics: [{ topic, numPartitions: partitions, replicationFactor }],
          waitForLeaders: true,
          timeout: this.#options.timeoutMs,
        };
        // Also resolves if another process creates the topic at the same time, or the first attempt did.
        await this.#whilePassing(isUnknownTopic, () => admin.createTopics(request));
      } catch (error) {
        if (!isDenied(error)) throw error;
        const remedy =
          'or grant the user of `decisions.sasl` the operation Create on it (docs/how-to/publish-to-kafka.md)';
        throw missingTopic(this.#options, remedy, error);
      }
    });
  }

  /** Where each partition begins, and where its committed messages end now. */
  async offsets(): Promise<{ readonly low: Offsets; readonly end: Offsets }> {
    const partitions = await this.#readOffsets((admin) => admin.fetchTopicOffsets(this.#options.topic));
    return {
      low: new Map(partitions.map(({ partition, low }) => [partition, BigInt(low)])),
      end: new Map(partitions.map(({ partition, high }) => [partition, BigInt(high)])),
    };
  }

  /** The offset of the first message of each partition that was written at or after the instant. */
  async offsetsAt(instantMs: number): Promise<Offsets> {
    const partitions = await this.#readOffsets((admin) =>
      admin.fetchTopicOffsetsByTimestamp(this.#options.topic, instantMs),
    );
    return new Map(partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
  }

  /** Names the cluster of the topic; empty if the brokers do not tell. */
  async clusterId(): Promise<string> {
    if (this.#clusterId !== undefined) return this.#clusterId;
    const cluster = await this.#use('reading the cluster', (admin) => admin.describeCluster());
    this.#clusterId = cluster.clusterId ?? '';
    return this.#clusterId;
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.then((connected) => connected.disconnect()).catch(() => {});
  }

  /** A topic that was just created, or whose broker restarts, has no leader for a moment: kafkajs fails at once then. */
  #readOffsets<T>(operation: (admin: Admin) => Promise<T>): Promise<T> {
    return this.#whilePassing(isLeaderless, () => this.#use('reading the offsets of the topic', operation));
  }

  /** Tries again after an error that passes by itself, until the time is over. */
  async #whilePassing<T>(passes: (error: unknown) => boolean, operation: () => Promise<T>): Promise<T> {
    const { timeoutMs, clock } = this.#options;
    for (const deadline = clock.now() + timeoutMs; ; ) {
      try {
        return await operation();
      } catch (error) {
        if (!passes(error) || clock.now() >= deadline) throw error;
        await clock.sleep(LEADER_WAIT_MS);
      }
    }
  }

  async #use<T>(doing: string, operation: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= this.#connect();
    const connected = this.#admin;
    const { timeoutMs, clock } = this.#options;
    try {
      return await within(timeoutMs, doing, clock, connected.then(operation));
    } catch (error) {
      // The next call gets a new connection.
      if (this.#admin === connected) [this.#admin, this.#clusterId] = [undefined, undefined];
      void connected.then((admin) => admin.disconnect()).catch(() => {});
      throw toSyncError(error, doing);
    }
  }

  async #connect(): Promise<Admin> {
    const admin = (await this.#kafka()).admin();
    try {
      await admin.connect();
    } catch (error) {
      void admin.disconnect().catch(() => {});
      throw error;
    }
    return admin;
  }
}

/** The position, or the beginning of a partition that is new or was created again. */
export function startingAt(position: Offsets, low: Offsets, end: Offsets): Offsets {
  const start = new Map<number, bigint>();
  for (const [partition, first] of low) {
    const offset = position.get(partition) ?? first;
    const isWithin = offset >= first && offset <= (end.get(partition) ?? first);
    start.set(partition, isWithin ? offset : first);
  }
  return start;
}

function missingTopic({ topic }: TopicOptions, remedy: string, cause?: unknown): SyncError {
  return new MissingTopic(
    'ERR_DECISIONS_UNREACHABLE',
    `Kafka has no topic ${topic} that this user can see, and scopemesh has no permission to create it; create it ` +
      `(kafka-topics.sh --create --topic ${topic} --partitions 6 --replication-factor 3), ${remedy}.`,
    { retriable: false, cause },
  );
}
