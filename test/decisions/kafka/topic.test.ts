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
