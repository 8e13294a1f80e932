import { systemClock } from '../../src/clock.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createBullmqStore } from '../../src/queue/bullmq/store.js';

/** Every decision of the owner `team` so far, if no decision log answers: then all of them stay in Redis. */
export async function unpublished(redisUrl: string): Promise<readonly Decision[]> {
  const store = createBullmqStore({
    url: redisUrl,
    prefix: 'scopemesh:team',
    allowUnsafe: true,
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  try {
    return await store.journal.outbox(10_000);
  } finally {
    await store.close();
  }
}
