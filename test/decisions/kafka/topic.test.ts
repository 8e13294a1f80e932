import type { Kafka } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { KafkaTopic, startingAt } from '../../../src/decisions/kafka/topic.js';
import { MissingTopic } from '../../../src/decisions/log.js';

/** A cluster without topics, unless `more` has some, as far as the check of a topic needs one. */
function clusterThat(
  createTopics: (options?: unknown) => Promise<boolean>,
  more: Readonly<Record<string, unknown>> = {},
): Kafka {
  const admin = {
    connect: async () => {},
    disconnect: async () => {},
    listTopics: async () => [],
    createTopics,
    ...more,
  };
  return { admin: () => admin } as unknown as Kafka;
}

const topicOf = (kafka: Kafka, clock = systemClock) =>
  new KafkaTopic(async () => kafka, {
    topic: 'decisions',
    createTopic: { partitions: 6, replicationFactor: -1 },
    timeoutMs: 5_000,
    clock,
  });

const ofType = (type: string) => Object.assign(new Error(type), { type });
const NO_TOPICS = () => Promise.resolve(false);

/** Counts the connections, and lets the waits between attempts take no time; what is awaited has its time all the same. */
function counted(more: Readonly<Record<string, unknown>>) {
  const counts = { opened: 0, closed: 0, now: 0 };
  const cluster = clusterThat(NO_TOPICS, {
    connect: async () => void counts.opened++,
    disconnect: async () => {
      counts.closed++;
      throw new Error('it was closed before');
    },
    ...more,
  });
  const sleep: Clock['sleep'] = async (ms, signal) => {
    if (signal !== undefined) await systemClock.sleep(60_000, signal);
    counts.now += ms;
  };
  return { counts, topic: topicOf(cluster, { now: () => counts.now, sleep }) };
}

/** Gives one answer after the other, the last one again and again. An error is thrown. */
function inTurn(...answers: readonly unknown[]) {
  const asked: unknown[][] = [];
  const answer = async (...question: unknown[]) => {
    const given = answers[Math.min(asked.push(question), answers.length) - 1];
    if (given instanceof Error) throw given;
    return given;
  };
  return { asked, answer };
}

describe('a topic that is missing', () => {
  it.each(['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED'])(
    'names the operation that the user lacks: %s',
    async (type) => {
      const refused = Object.assign(new Error('Not authorized'), { type });
      const all = Object.assign(new Error('Topic creation errors'), { errors: [refused] });
      const topic = topicOf(clusterThat(() => Promise.reject(all)));
      await expect(topic.check()).rejects.toMatchObject({
        code: 'ERR_DECISIONS_UNREACHABLE',
        retriable: false,
        message: expect.stringMatching(/no topic decisions .*kafka-topics\.sh --create.*Create/),
      });
    },
  );

  it('is a MissingTopic where it may not be created, and is not created', async () => {
    const created: string[] = [];
    const topic = new KafkaTopic(
      async () =>
        clusterThat(async () => {
          created.push('decisions');
          return true;
        }),
      { topic: 'decisions', timeoutMs: 5_000, clock: systemClock },
    );
    await expect(topic.check()).rejects.toBeInstanceOf(MissingTopic);
    expect(created).toEqual([]);
  });

  it('may be created by another process at the same moment', async () => {
    const asked: unknown[] = [];
    const kafka = clusterThat(async (options) => {
      asked.push(options);
      return false;
    });
    await topicOf(kafka).check();
    const topics = [{ topic: 'decisions', numPartitions: 6, replicationFactor: -1 }];
    // Without leaders the next read would fail.
    expect(asked).toEqual([{ topics, waitForLeaders: true, timeout: 5_000 }]);
  });

  it('is made with patience while no broker knows it yet, and reported for what it is otherwise', async () => {
    const [unknown, full] = [ofType('UNKNOWN_TOPIC_OR_PARTITION'), ofType('POLICY_VIOLATION')];
    const slow = inTurn(unknown, unknown, true);
    await counted({ createTopics: slow.answer }).topic.check();
    expect(slow.asked).toHaveLength(3);
    const refused = counted({ createTopics: inTurn(full).answer }).topic.check();
    await expect(refused).rejects.toMatchObject({
      retriable: true,
      message: 'Kafka: looking for the topic failed: POLICY_VIOLATION.',
    });
  });

  it('is not made again where it exists', async () => {
    const { answer, asked } = inTurn(true);
    await counted({ listTopics: async () => ['other', 'decisions'], createTopics: answer }).topic.check();
    expect(asked).toEqual([]);
  });
});

describe('the topic of the decisions', () => {
  const [leaderless, away] = [ofType('LEADER_NOT_AVAILABLE'), new Error('connect ECONNREFUSED')];

  it('says where its partitions begin and end, and where an instant is', async () => {
    const partitions = [
      { partition: 0, offset: '9', low: '3', high: '9' },
      { partition: 2, offset: '7', low: '0', high: '7' },
    ];
    const [all, since] = [inTurn(partitions), inTurn(partitions)];
    const { topic, counts } = counted({
      fetchTopicOffsets: all.answer,
      fetchTopicOffsetsByTimestamp: since.answer,
    });
    const [low, end] = [new Map([[0, 3n]]).set(2, 0n), new Map([[0, 9n]]).set(2, 7n)];
    expect(await topic.offsets()).toEqual({ low, end });
    expect(await topic.offsetsAt(77)).toEqual(end);
    expect([all.asked, since.asked]).toEqual([[['decisions']], [['decisions', 77]]]);
    expect(counts).toMatchObject({ opened: 1, closed: 0 });
  });

  it('waits while a partition has no leader, but not for longer than an exchange may take', async () => {
    const soon = inTurn(leaderless, leaderless, []);
    const patient = counted({ fetchTopicOffsets: soon.answer });
    expect(await patient.topic.offsets()).toEqual({ low: new Map(), end: new Map() });
    // kafkajs asks the same broker again, so each attempt has a connection of its own.
    expect(patient.counts).toEqual({ opened: 3, closed: 2, now: 200 });
    const never = counted({ fetchTopicOffsets: inTurn(leaderless).answer });
    await expect(never.topic.offsets()).rejects.toMatchObject({ retriable: true, cause: leaderless });
    expect(never.counts).toEqual({ opened: 51, closed: 51, now: 5_000 });
  });

  it.each(['connect', 'fetchTopicOffsets'])(
    'tries nothing again by itself and leaves no connection open when brokers are away: %s',
    async (what) => {
      const { answer, asked } = inTurn(away);
      const { topic, counts } = counted({ [what]: answer });
      await expect(topic.offsets()).rejects.toThrow(
        'Kafka: reading the offsets of the topic failed: connect ECONNREFUSED.',
      );
      expect([asked.length, counts.closed, counts.now]).toEqual([1, 1, 0]);
    },
  );

  it('names its cluster, and asks for the name again after a failure: it may be another one then', async () => {
    const { answer, asked } = inTurn({ clusterId: 'one' }, away, { clusterId: null });
    const offsets = inTurn(away);
    const { topic, counts } = counted({ describeCluster: answer, fetchTopicOffsets: offsets.answer });
    expect([await topic.clusterId(), await topic.clusterId(), asked.length]).toEqual(['one', 'one', 1]);
    await expect(topic.offsets()).rejects.toThrow('ECONNREFUSED');
    await expect(topic.clusterId()).rejects.toThrow('Kafka: reading the cluster failed');
    expect([await topic.clusterId(), await topic.clusterId(), asked.length]).toEqual(['', '', 3]);
    await topic.close();
    await topic.close();
    expect(counts).toMatchObject({ opened: 3, closed: 3 });
  });

  it('keeps its connection when a question of the one before fails late', async () => {
    let fail: (error: Error) => void = () => {};
    const late = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const describeCluster = inTurn(away, { clusterId: 'one' });
    const { topic, counts } = counted({
      fetchTopicOffsets: () => late,
      describeCluster: describeCluster.answer,
    });
    const waiting = topic.offsets();
    await expect(topic.clusterId()).rejects.toThrow('ECONNREFUSED');
    expect(await topic.clusterId()).toBe('one');
    fail(away);
    await expect(waiting).rejects.toThrow('ECONNREFUSED');
    expect([await topic.clusterId(), describeCluster.asked.length, counts.opened]).toEqual(['one', 2, 2]);
  });
});

it.each([
  ['goes on in a partition', 5n, 5n],
  ['goes on at the end', 9n, 9n],
  ['begins a new partition', undefined, 3n],
  ['begins a partition that Kafka cut', 2n, 3n],
  ['begins a partition that was made again', 10n, 3n],
])('a reader %s', (_, position, start) => {
  const at = (offset: bigint) => new Map([[1, offset]]);
  expect(startingAt(position === undefined ? new Map() : at(position), at(3n), at(9n))).toEqual(at(start));
  expect(startingAt(at(4n), at(3n), new Map())).toEqual(at(3n));
});
