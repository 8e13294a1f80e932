import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createBullmqStore } from '../../src/queue/bullmq/store.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { describeFacts } from './facts.js';
import { describeJournal } from './journal.js';
import { describeQueue } from './queue.js';
import type { Store, StoreHarness } from './store-harness.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

let redis: RedisHandle;
let count = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
});

/** To Redis a process that is killed is one whose connections break and do not come back. */
async function startBullmq(): Promise<StoreHarness> {
  const prefix = `scopemesh:test-${++count}`;
  const ways = new Map<Store, TcpProxy>();
  return {
    async open(backoff) {
      const way = await startTcpProxy(redis.port);
      const store = createBullmqStore({
        url: `redis://127.0.0.1:${way.port}`,
        prefix,
        allowUnsafe: false,
        logger: silentLogger,
        metrics: noMetrics,
        clock: systemClock,
        ...(backoff === undefined ? {} : { backoff }),
      });
      ways.set(store, way);
      return store;
    },
    async crash(store) {
      await ways.get(store)?.cut();
      // Its handlers may never end, and then neither does its close.
      void store.close().catch(() => {});
    },
    async dispose() {
      for (const [store, way] of ways) {
        void store
          .close()
          .catch(() => {})
          .finally(() => way.cut());
      }
    },
  };
}

describeQueue('BullMQ on Redis', startBullmq, 5);
describeJournal('BullMQ on Redis', startBullmq);
describeFacts('BullMQ on Redis', startBullmq);
