import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createKafkaDecisionLog } from '../../src/decisions/kafka/kafka-decision-log.js';
import { parseLogEvent } from '../../src/decisions/log.js';
import { relay } from '../../src/decisions/relay.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { readTopic } from '../stack/kcat.js';
import { until } from '../stack/process.js';
import { decisions, faultsOf } from '../support/decisions.js';
import { relayWithCrashes } from '../support/relay-crashes.js';
import { signer } from '../support/signed-log.js';
import { isSoak } from '../support/soak.js';

const runtime = {
  owner: 'payments',
  signer: () => signer,
  logger: silentLogger,
  metrics: noMetrics,
  clock: systemClock,
};

let kafka: KafkaHandle;
let directory: string;
beforeAll(async () => {
  kafka = await startKafka();
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-relay-'));
});
afterAll(async () => {
  await kafka?.stop();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

const open = (topic: string) =>
  createKafkaDecisionLog({
    ...runtime,
    brokers: [kafka.broker],
    topic,
    clientId: 'scopemesh-test',
    transactionalId: `scopemesh-${topic}`,
    createTopic: { partitions: 3, replicationFactor: -1 },
    timeoutMs: 10_000,
  });

/** What a client that reads only what is committed finds, which must be exactly what was settled. */
async function expectExactly(topic: string, settled: readonly Decision[]): Promise<void> {
  const read = await until('all that was settled can be read', async () => {
    const messages = await readTopic(kafka.broker, topic);
    const found = messages.flatMap((message) => parseLogEvent(message.value) ?? []);
    return found.length >= settled.length && found;
  });
  expect(read.map((each) => each.id).sort()).toEqual(settled.map((each) => each.id).sort());
  expect(faultsOf(read)).toEqual([]);
}

async function prepare(count: number, name: string) {
  const topic = `decisions-${randomUUID()}`;
  await kafka.createTopic(topic, 3);
  const state = join(directory, name);
  const store = createEmbeddedStore({ directory: state, ...runtime });
  const settled = decisions(count, 8);
  await store.journal.settle('destination/default/default/orders', settled);
  return { topic, state, store, settled };
}

describe('the relay to Kafka', () => {
  it('creates a topic that is missing, and publishes to it', { timeout: 60_000 }, async () => {
    const topic = `decisions-${randomUUID()}`;
    const store = createEmbeddedStore({ directory: join(directory, 'missing'), ...runtime });
    const { journal, keyValues } = store;
    const settled = decisions(20, 4);
    await journal.settle('destination/default/default/orders', settled);
    const log = open(topic);
    const stop = new AbortController();
    const idle = { wait: () => new Promise<void>(() => {}) };
    const running = relay({ ...runtime, keyValues, settled: idle, journal, log }, stop.signal);
    await until('the outbox is empty', async () => (await journal.overview()).outboxLength === 0, {
      timeoutMs: 30_000,
    });
    stop.abort();
    await running;
    await log.close();
    await store.close();
    await expectExactly(topic, settled);
  });

  it('loses and doubles nothing when it is killed at any step', { timeout: 240_000 }, async () => {
    const { topic, state, store, settled } = await prepare(160, 'kill');
    await store.close();
    // Steps of a relay: contains, then set, append and published for each batch.
    const deaths = [3, 6, 4, 2, 3, 6, 3, 9, 7, 3, 3, 6];
    await relayWithCrashes({ directory: state, batch: 5, kafka: { broker: kafka.broker, topic } }, deaths);
    await expectExactly(topic, settled);
  });

  it('loses and doubles nothing when the broker is killed again and again', {
    timeout: 240_000,
  }, async () => {
    const { topic, store, settled } = await prepare(isSoak ? 6_000 : 2_000, 'broker');
    const log = open(topic);
    const { journal } = store;
    let appended = 0;
    let kill: Promise<void> | undefined;
    const kills = [
      [20, 1],
      [60, 3],
      [110, 6],
      [170, 0],
    ] as const;
    const killIn = new Map<number, number>(isSoak ? kills : kills.slice(0, 2));
    const counted = {
      ...runtime,
      keyValues: store.keyValues,
      settled: { wait: () => new Promise<void>(() => {}) },
      journal: {
        read: journal.read.bind(journal),
        readAll: journal.readAll.bind(journal),
        record: journal.record.bind(journal),
        settle: journal.settle.bind(journal),
        outbox: () => journal.outbox(20),
        published: journal.published.bind(journal),
        overview: journal.overview.bind(journal),
      },
      log: {
        check: () => log.check(),
        position: () => log.position(),
        async append(batch: readonly Decision[]) {
          appended++;
          const appending = log.append(batch);
          const ms = killIn.get(appended);
          if (ms !== undefined) {
            await Promise.race([delay(ms), appending]).catch(() => {});
            kill = kafka.kill();
          }
          await appending;
        },
        contains: (ids: readonly string[], since: string) => log.contains(ids, since),
        lastLink: log.lastLink.bind(log),
        appendCheckpoint: log.appendCheckpoint.bind(log),
        read: log.read.bind(log),
        readEvents: log.readEvents.bind(log),
        readParts: log.readParts.bind(log),
        readFrom: log.readFrom.bind(log),
        close: () => log.close(),
      },
    };
    const stop = new AbortController();
    const follower = open(topic);
    const followed: Decision[] = [];
    const following = (async () => {
      for await (const each of follower.read({ from: 'start', follow: true }, stop.signal))
        followed.push(each);
    })();
    const running = relay(counted, stop.signal);
    for (const at of killIn.keys()) {
      await until(`batch ${at} is on its way`, () => appended >= at && kill !== undefined, {
        timeoutMs: 90_000,
      });
      await kill;
      kill = undefined;
      await kafka.restart();
    }
    await until('the outbox is empty', async () => (await journal.overview()).outboxLength === 0, {
      timeoutMs: 120_000,
    });
    await until('the follower has seen all', () => followed.length >= settled.length, { timeoutMs: 60_000 });
    stop.abort();
    await Promise.all([running, following]);
    await Promise.all([log.close(), follower.close()]);
    await store.close();
    await expectExactly(topic, settled);
    expect(faultsOf(followed)).toEqual([]);
    expect(followed).toHaveLength(settled.length);
  });

  it('doubles nothing while two relays fight over one outbox', { timeout: 120_000 }, async () => {
    const { topic, store, settled } = await prepare(600, 'two');
    const { journal, keyValues } = store;
    const stop = new AbortController();
    const logs = [open(topic), open(topic)];
    const narrow = {
      read: journal.read.bind(journal),
      readAll: journal.readAll.bind(journal),
      record: journal.record.bind(journal),
      settle: journal.settle.bind(journal),
      outbox: () => journal.outbox(10),
      published: journal.published.bind(journal),
      overview: journal.overview.bind(journal),
    };
    const idle = { wait: () => new Promise<void>(() => {}) };
    const relays = logs.map((log) =>
      relay({ ...runtime, keyValues, settled: idle, journal: narrow, log }, stop.signal),
    );
    await until('the outbox is empty', async () => (await journal.overview()).outboxLength === 0, {
      timeoutMs: 90_000,
    });
    stop.abort();
    await Promise.all(relays);
    await Promise.all(logs.map((log) => log.close()));
    await store.close();
    await expectExactly(topic, settled);
  });
});
