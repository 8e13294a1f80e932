import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/clock.js';
import { createEmbeddedDecisionLog } from '../src/decisions/embedded/embedded-decision-log.js';
import { createKafkaDecisionLog } from '../src/decisions/kafka/kafka-decision-log.js';
import type { DecisionLog } from '../src/decisions/log.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { createEmbeddedStore } from '../src/queue/embedded/store.js';
import { startKafka } from '../test/stack/kafka.js';
import { decisions } from '../test/support/decisions.js';
import { run } from '../workers/relay.js';

// How fast decisions reach the log: one at a time, in batches, and by the relay from a full outbox.
// npx tsx bench/decisions.ts

const SINGLE = 200;
const BATCHED = 10_000;
const surroundings = { logger: silentLogger, metrics: noMetrics, clock: systemClock };

async function measure(name: string, log: DecisionLog): Promise<void> {
  await log.check();
  await log.append(decisions(10)); // connected and warm
  const latencies: number[] = [];
  for (const each of decisions(SINGLE)) {
    const begun = performance.now();
    await log.append([each]);
    latencies.push(performance.now() - begun);
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number) => (latencies[Math.floor(share * latencies.length)] ?? 0).toFixed(2);
  print(`${name}: one at a time p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);

  for (const size of [100, 500]) {
    const history = decisions(BATCHED, 50);
    const seconds = await timed(async () => {
      for (let from = 0; from < BATCHED; from += size) await log.append(history.slice(from, from + size));
    });
    print(`${name}: batches of ${size}: ${Math.round(BATCHED / seconds)} a second`);
  }

  let read = 0;
  const reading = await timed(async () => {
    for await (const _ of log.read({ from: 'start', follow: false }, AbortSignal.timeout(60_000))) read++;
  });
  print(`${name}: read back ${read}: ${Math.round(read / reading)} a second`);
  await relayed(name, log);
}

async function relayed(name: string, log: DecisionLog): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-bench-'));
  const store = createEmbeddedStore({ directory, ...surroundings });
  const stop = new AbortController();
  try {
    await store.journal.settle('destination/default/default/orders', decisions(BATCHED, 50));
    stop.abort(); // it empties the outbox and ends
    const { journal, facts } = store;
    const settled = { wait: () => new Promise<void>(() => {}) };
    const seconds = await timed(() => run({ ...surroundings, journal, facts, log, settled }, stop.signal));
    const { outboxLength } = await journal.overview();
    print(
      `${name}: by the relay ${Math.round((BATCHED - outboxLength) / seconds)} a second, ${outboxLength} left`,
    );
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function timed(operation: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await operation();
  return (performance.now() - begun) / 1000;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const directory = mkdtempSync(join(tmpdir(), 'scopemesh-bench-'));
const embedded = createEmbeddedDecisionLog({ directory, ...surroundings });
await measure('embedded', embedded);
await embedded.close();
rmSync(directory, { recursive: true, force: true });

const kafka = await startKafka();
const log = createKafkaDecisionLog({
  ...surroundings,
  brokers: [kafka.broker],
  topic: `decisions-${randomUUID()}`,
  clientId: 'scopemesh-bench',
  transactionalId: 'scopemesh-bench',
  createTopic: { partitions: 6, replicationFactor: 1 },
  timeoutMs: 10_000,
});
await measure('kafka', log);
await log.close();
await kafka.stop();
