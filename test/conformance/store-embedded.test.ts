import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import { describeFacts } from './facts.js';
import { describeJournal } from './journal.js';
import { describeQueue } from './queue.js';
import type { Store, StoreHarness } from './store-harness.js';

/**
 * A crash leaves to the next process exactly the bytes that the files hold at that instant, so it is a copy of
 * them into another directory; what the old store still does goes into files that nobody reads.
 */
async function startEmbedded(): Promise<StoreHarness> {
  const root = mkdtempSync(join(tmpdir(), 'scopemesh-store-'));
  let lives = 0;
  let directory = join(root, '0');
  const opened = new Set<Store>();
  return {
    async open(backoff) {
      const store = createEmbeddedStore({
        directory,
        logger: silentLogger,
        metrics: noMetrics,
        clock: systemClock,
        ...(backoff === undefined ? {} : { backoff }),
      });
      opened.add(store);
      return store;
    },
    async crash() {
      const next = join(root, String(++lives));
      cpSync(directory, next, { recursive: true });
      directory = next;
    },
    async dispose() {
      // Handlers of a crashed store may never end, and then neither does its close.
      for (const store of opened) void store.close().catch(() => {});
      rmSync(root, { recursive: true, force: true });
    },
  };
}

describeQueue('the embedded store', startEmbedded);
describeJournal('the embedded store', startEmbedded);
describeFacts('the embedded store', startEmbedded);
