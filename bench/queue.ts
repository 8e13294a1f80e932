import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/clock.js';
import { destinationKey } from '../src/model/key.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { createBullmqStore } from '../src/queue/bullmq/store.js';
import { createEmbeddedStore } from '../src/queue/embedded/store.js';
import type { Queue } from '../src/queue/queue.js';
import { startRedis } from '../test/stack/redis.js';

// From the call of `add` to the start of the handler, on an idle queue, and how fast a burst is acknowledged and run.
// npx tsx bench/queue.ts

const SAMPLES = 300;
const BURST = 2000;
const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock };

async function measure(name: string, queue: Queue): Promise<void> {
  let started = () => {};
  let runs = 0;
  const abort = new AbortController();
  const working = queue.work(
    async () => {
      runs++;
      started();
      return { kind: 'done' };
    },
    { concurrency: 8 },
    abort.signal,
  );
  const latencies: number[] = [];
  const acknowledged: number[] = [];
  for (let index = 0; index < SAMPLES; index++) {
    const begun = performance.now();
    const start = new Promise<void>((resolve) => {
      started = () => {
        latencies.push(performance.now() - begun);
        resolve();
      };
    });
    await queue.add([triggerOf(index)]);
    acknowledged.push(performance.now() - begun);
    await start;
    while ((await queue.state()).active > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  started = () => {};
  runs = 0;
  const begun = performance.now();
  await Promise.all(Array.from({ length: BURST }, (_, index) => queue.add([triggerOf(index)])));
  const added = performance.now() - begun;
  while (runs < BURST) await new Promise((resolve) => setTimeout(resolve, 1));
  const ran = performance.now() - begun;
  abort.abort();
  await working;
  console.log(
    `${name}: add to handler p50 ${quantile(latencies, 0.5)} ms, p99 ${quantile(latencies, 0.99)} ms; ` +
      `add acknowledged p50 ${quantile(acknowledged, 0.5)} ms; ` +
      `burst of ${BURST} keys acknowledged in ${added.toFixed(0)} ms, run in ${ran.toFixed(0)} ms`,
  );
}

const triggerOf = (index: number) => ({
  key: destinationKey(`service-${index}`),
  cause: { kind: 'webhook' as const, eventId: String(index), receivedAt: '2026-01-01T00:00:00.000Z' },
});

function quantile(values: readonly number[], at: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor(sorted.length * at)] ?? Number.NaN).toFixed(2);
}

const directory = mkdtempSync(join(tmpdir(), 'scopemesh-bench-'));
const embedded = createEmbeddedStore({ directory, ...deps });
await measure('embedded', embedded.queue);
await embedded.close();
rmSync(directory, { recursive: true });

const redis = await startRedis();
const bullmq = createBullmqStore({ url: redis.url, prefix: 'scopemesh:bench', allowUnsafe: false, ...deps });
await measure('bullmq', bullmq.queue);
await bullmq.close();
await redis.stop();
