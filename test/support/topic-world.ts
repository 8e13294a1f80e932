import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Checkpoints } from '../../src/decisions/checkpoints.js';
import {
  createKafkaDecisionLog,
  type KafkaDecisionLogOptions,
} from '../../src/decisions/kafka/kafka-decision-log.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { Publication } from '../../src/decisions/publication.js';
import { createNoteSigner } from '../../src/decisions/signed-note.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';

const surroundings = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
const pem = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
export const signer = createNoteSigner('scopemesh/payments', pem);

/** A topic, and a daemon's relay on it as it is after each start. */
export interface TopicWorld {
  readonly topic: string;
  open(changes?: Partial<KafkaDecisionLogOptions>): DecisionLog;
  /** Publishes the decisions and a checkpoint in a relay of its own. */
  publish(decisions: readonly Decision[], changes?: Partial<KafkaDecisionLogOptions>): Promise<void>;
}

/** For one test, with three partitions. */
export function createTopicWorld(broker: string): TopicWorld {
  const topic = `decisions-${randomUUID()}`;
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-topic-'));
  const store = createEmbeddedStore({ directory, ...surroundings });
  onTestFinished(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const open = (changes: Partial<KafkaDecisionLogOptions> = {}) =>
    createKafkaDecisionLog({
      ...surroundings,
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
    async publish(decisions, changes) {
      const log = open(changes);
      const { journal, keyValues } = store;
      const publication = new Publication({ ...surroundings, journal, keyValues, log });
      const checkpoints = new Checkpoints({ ...surroundings, log, keyValues, signer, owner: 'payments' });
      await journal.settle('destination/default/default/orders', decisions);
      while ((await publication.moveBatch()) > 0);
      await checkpoints.sign(publication.head);
      await log.close();
    },
  };
}
