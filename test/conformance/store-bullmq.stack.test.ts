import { afterAll, beforeAll } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createBullmqStore } from '../../src/queue/bullmq/store.js';
import { type RedisHandle, startRedis } from '../stack/redis.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { describeFence } from './fence.js';
import { describeInbox } from './inbox.js';
import { describeJournal } from './journal.js';
import { describeFacts } from './key-value-store.js';
import { describeKill, type StorePlace } from './kill.js';
import { describeQueue } from './queue.js';
import { describeQueueFailures } from './queue-failures.js';
import { describeRechecks } from './rechecks.js';
import { describeRoster } from './roster.js';
import { describeSessionStore } from './session-store.js';
import type { Store, StoreHarness } from './store-harness.js';
import { describeWebhookTakeover } from './webhook-takeover.js';

let redis: RedisHandle;
let count = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

function openAt(url: string, prefix: string, clock: Clock = systemClock): Store {
  const deps = { logger: silentLogger, metrics: noMetrics, clock };
  return createBullmqStore({ url, prefix, allowUnsafe: false, ...deps });
}

/** To Redis a process that is killed is one whose connections break and do not come back. */
async function startBullmq(): Promise<StoreHarness> {
  const prefix = `scopemesh:test-${++count}`;
  const ways = new Map<Store, TcpProxy>();
  return {
    async open(clock) {
      const way = await startTcpProxy(redis.port);
      const store = openAt(`redis://127.0.0.1:${way.port}`, prefix, clock);
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
describeQueueFailures('BullMQ on Redis', startBullmq);
describeJournal('BullMQ on Redis', startBullmq);
describeFacts('BullMQ on Redis', startBullmq);
describeInbox('BullMQ on Redis', startBullmq);
describeRechecks('BullMQ on Redis', startBullmq);
describeFence('BullMQ on Redis', startBullmq);
describeRoster('BullMQ on Redis', startBullmq);
describeSessionStore('BullMQ on Redis', startBullmq);
describeWebhookTakeover('BullMQ on Redis', startBullmq);

async function startPlace(): Promise<StorePlace> {
  const prefix = `scopemesh:test-${++count}`;
  return {
    childArguments: ['bullmq', redis.url, prefix],
    open: async () => openAt(redis.url, prefix),
    dispose: async () => {},
  };
}

describeKill('BullMQ on Redis', startPlace, 2);
