import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Checkpoints } from '../../src/decisions/checkpoints.js';
import {
  createKafkaDecisionLog,
  type KafkaDecisionLogOptions,
} from '../../src/decisions/kafka/kafka-decision-log.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { Publication } from '../../src/decisions/publication.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { signer } from './signed-log.js';
import { until } from './until.js';

const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };

export { signer };

/** A Kafka for the tests of a file, and a connection that administers it. Both are there once the tests run. */
export function useKafka(): {
  readonly kafka: () => KafkaHandle;
  readonly admin: () => Admin;
  /** Resolves once the broker does not know the topic: the controller acknowledges the end of the topic before that. */
  readonly deleteTopic: (topic: string) => Promise<void>;
} {
  let kafka: KafkaHandle | undefined;
  let admin: Admin | undefined;
  beforeAll(async () => {
    kafka = await startKafka();
    admin = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await kafka?.stop();
  });
  return {
    kafka: () => defined(kafka),
    admin: () => defined(admin),
    async deleteTopic(topic) {
      await defined(admin).deleteTopics({ topics: [topic] });
      await until('the topic to be gone', async () => !(await defined(admin).listTopics()).includes(topic));
    },
  };
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('Kafka is not started yet');
  return value;
}

/** A topic, and a daemon's relay on it as it is after each start. */
export interface TopicWorld {
  readonly topic: string;
  open(changes?: Partial<KafkaDecisionLogOptions>): DecisionLog;
  /** Publishes the decisions and a checkpoint in a relay of its own, which may crash at its first batch. */
  publish(
    decisions: readonly Decision[],
    changes?: Partial<KafkaDecisionLogOptions>,
    crash?: Crash,
  ): Promise<void>;
}

/** Before or after the transaction of the batch. */
export type Crash = 'before' | 'after' | 'never';

/** For one test, with three partitions. */
export function createTopicWorld(broker: string): TopicWorld {
  const topic = `decisions-${randomUUID()}`;
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-topic-'));
  const store = createEmbeddedStore({ directory, ...runtime });
  onTestFinished(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const open = (changes: Partial<KafkaDecisionLogOptions> = {}) =>
    createKafkaDecisionLog({
      ...runtime,
      brokers: [broker],
      topic,
      clientId: 'scopemesh-test',
      transactionalId: `scopemesh-${topic}`,
      createTopic: { partitions: 3, replicationFactor: -1 },
      timeoutMs: 10_000,
      ...changes,
    });
  return {
    topic,
    open,
    async publish(decisions, changes, crash = 'never') {
      const log = open(changes);
      const { journal, keyValues } = store;
      const append = async (batch: readonly Decision[]) => {
        if (crash !== 'before') await log.append(batch);
        throw new Error('the relay ends here');
      };
      const deps = { ...runtime, journal, keyValues, owner: 'payments', signer: () => signer };
      const publication = new Publication({
        ...deps,
        log: crash === 'never' ? log : withAppend(log, append),
      });
      await journal.settle('destination/default/default/orders', decisions);
      if (crash === 'never') {
        const checkpoints = new Checkpoints({ ...deps, log });
        while ((await publication.moveBatch()) > 0);
        await checkpoints.sign(publication.head);
        // Kafka shows a transaction a moment after it acknowledged the commit. The position waits for that moment.
        await log.position();
      } else {
        await expect(publication.moveBatch()).rejects.toThrow('the relay ends here');
      }
      await log.close();
    },
  };
}

function withAppend(log: DecisionLog, append: DecisionLog['append']): DecisionLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
