import { systemClock } from '../src/clock.js';
import { destinationKey } from '../src/model/key.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { createBullmqStore } from '../src/queue/bullmq/store.js';
import type { Store } from '../src/queue/store-parts.js';
import { draft, settled } from '../test/conformance/journal.js';
import { startRedis } from '../test/stack/redis.js';

// How many records and settlements a second Redis takes with 64 in flight, how long a large one takes, and how long
// `add` waits for its acknowledgement meanwhile.
// npx tsx bench/journal.ts

const IN_FLIGHT = 64;
const STEPS = 5000;
const LARGE = 5000;

for (const appendFsync of ['everysec', 'always'] as const) {
  const redis = await startRedis({ appendFsync });
  const store = createBullmqStore({
    url: redis.url,
    prefix: 'scopemesh:bench',
    allowUnsafe: false,
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  await store.queue.check();
  const record = (id: string, index: number) => store.journal.record(`key-${index}`, [draft(id, id)]);
  const settle = (id: string, index: number) =>
    store.journal.settle(`key-${index}`, [settled(id, id)], { lastApplied: new Map([[id, id]]) });
  const idle = await acknowledgements(store, Promise.resolve());
  const recorded = await rate(record);
  const settling = rate(settle);
  const busy = await acknowledgements(store, settling);
  const ids = Array.from({ length: LARGE }, (_, index) => `large-${index}`);
  const large = await Promise.all([
    time(
      store.journal.record(
        'large',
        ids.map((id) => draft(id, id)),
      ),
    ),
    time(
      store.journal.settle(
        'large',
        ids.map((id) => settled(id, id)),
      ),
    ),
    time(store.queue.add([triggerOf(0)])),
  ]);
  console.log(
    `appendfsync ${appendFsync}: ${recorded} records/s, ${await settling} settlements/s; ` +
      `add acknowledged p50/p99 ${idle} ms, ${busy} ms beside settlements; ${LARGE} decisions: ` +
      `record ${large[0]} ms, settle ${large[1]} ms, add beside them ${large[2]} ms`,
  );
  await store.close();
  await redis.stop();
}

async function rate(step: (id: string, index: number) => Promise<void>): Promise<string> {
  const begun = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async (_, lane) => {
      while (next < STEPS) await step(`id-${next++}`, lane);
    }),
  );
  return ((STEPS * 1000) / (performance.now() - begun)).toFixed(0);
}

async function time(done: Promise<void>): Promise<string> {
  const begun = performance.now();
  await done;
  return (performance.now() - begun).toFixed(0);
}

/** Quantiles of `add` one after the other, 200 times and as long as `meanwhile` lasts. */
async function acknowledgements({ queue }: Store, meanwhile: Promise<unknown>): Promise<string> {
  let isOver = false;
  meanwhile.then(() => {
    isOver = true;
  });
  const all: number[] = [];
  while (!isOver || all.length < 200) {
    const begun = performance.now();
    await queue.add([triggerOf(all.length % 100)]);
    all.push(performance.now() - begun);
  }
  all.sort((a, b) => a - b);
  return [0.5, 0.99].map((at) => (all[Math.floor(all.length * at)] ?? Number.NaN).toFixed(2)).join('/');
}

function triggerOf(index: number) {
  return {
    key: destinationKey(`service-${index}`),
    cause: { kind: 'webhook' as const, eventId: String(index), receivedAt: '2026-01-01T00:00:00.000Z' },
  };
}
