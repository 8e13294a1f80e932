import type { Kafka } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { KafkaTopic } from '../../../src/decisions/kafka/topic.js';
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

const topicOf = (kafka: Kafka) =>
  new KafkaTopic(async () => kafka, {
    topic: 'decisions',
    createTopic: { partitions: 6, replicationFactor: -1 },
    timeoutMs: 5_000,
    clock: systemClock,
  });

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

  it('of states is created with compaction, and the line to create it has that too', async () => {
    const asked: unknown[] = [];
    const states = {
      topic: 'decisions.state',
      isCompacted: true,
      timeoutMs: 5_000,
      clock: systemClock,
    } as const;
    const kafka = clusterThat(async (options) => {
      asked.push(options);
      return true;
    });
    const createTopic = { partitions: 6, replicationFactor: -1 };
    await new KafkaTopic(async () => kafka, { ...states, createTopic }).check();
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    expect(asked).toMatchObject([{ topics: [{ topic: 'decisions.state', configEntries }] }]);
    const missing = new KafkaTopic(async () => kafka, states).check();
    await expect(missing).rejects.toThrow('--config cleanup.policy=compact');
  });

  it.each(['delete', 'compact,delete', undefined])(
    'of states that is there with the policy %s is refused',
    async (policy) => {
      const configEntries =
        policy === undefined ? [] : [{ configName: 'cleanup.policy', configValue: policy }];
      const kafka = clusterThat(async () => true, {
        listTopics: async () => ['decisions.state'],
        describeConfigs: async () => ({ resources: [{ configEntries }] }),
      });
      const states = {
        topic: 'decisions.state',
        isCompacted: true,
        timeoutMs: 5_000,
        clock: systemClock,
      } as const;
      await expect(new KafkaTopic(async () => kafka, states).check()).rejects.toMatchObject({
        retriable: false,
        message: expect.stringMatching(
          /kafka-configs\.sh --alter .*decisions\.state .*cleanup\.policy=compact/,
        ),
      });
    },
  );

  it('may be created by another process at the same moment', async () => {
    const asked: unknown[] = [];
    const kafka = clusterThat(async (options) => {
      asked.push(options);
      return false;
    });
    await topicOf(kafka).check();
    expect(asked).toMatchObject([{ topics: [{ topic: 'decisions', numPartitions: 6 }] }]);
  });
});
