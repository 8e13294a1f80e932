import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import { describeFence } from './fence.js';
import { describeInbox } from './inbox.js';
import { describeJournal } from './journal.js';
import { describeFacts } from './key-value-store.js';
import { describeKill, type StorePlace, startBurst } from './kill.js';
import { describeQueue } from './queue.js';
import { describeQueueFailures } from './queue-failures.js';
import { describeRechecks } from './rechecks.js';
import { describeRoster } from './roster.js';
import { describeSessionStore } from './session-store.js';
import { type Store, type StoreHarness, trigger } from './store-harness.js';
import { describeWebhookTakeover } from './webhook-takeover.js';

function openAt(directory: string, clock: Clock = systemClock): Store {
  const deps = { logger: silentLogger, metrics: noMetrics, clock };
  return createEmbeddedStore({ directory, ...deps });
}

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
    async open(clock) {
      const store = openAt(directory, clock);
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
describeQueueFailures('the embedded store', startEmbedded);
describeJournal('the embedded store', startEmbedded);
describeFacts('the embedded store', startEmbedded);
describeInbox('the embedded store', startEmbedded);
describeRechecks('the embedded store', startEmbedded);
describeFence('the embedded store', startEmbedded);
describeRoster('the embedded store', startEmbedded);
describeSessionStore('the embedded store', startEmbedded);
describeWebhookTakeover('the embedded store', startEmbedded);

async function startPlace(): Promise<StorePlace & { readonly directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-store-'));
  return {
    directory,
    childArguments: ['embedded', directory],
    open: async () => openAt(directory),
    async dispose() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

describeKill('the embedded store', startPlace, 3);

describe('the state directory', () => {
  it('is refused to a second process at once, and free again when the first is killed', async () => {
    const place = await startPlace();
    const child = startBurst(place.childArguments, 1);
    try {
      await child.until('open', 1);
      expect(() => openAt(place.directory)).toThrow(
        expect.objectContaining({
          code: 'ERR_STATE_LOCKED',
          retriable: false,
          message: expect.stringContaining(place.directory),
        }),
      );
      await child.until('acknowledged', 10);
      await child.kill();
      const store = openAt(place.directory);
      await store.close();
    } finally {
      await child.kill();
      await place.dispose();
    }
  });

  it('is refused to a second store of the same process, and free again after close', async () => {
    const place = await startPlace();
    const store = openAt(place.directory);
    expect(() => openAt(place.directory)).toThrow(expect.objectContaining({ code: 'ERR_STATE_LOCKED' }));
    await store.close();
    await openAt(place.directory).close();
    await place.dispose();
  });
});

describe('a closed embedded store', () => {
  it('refuses every call', async () => {
    const place = await startPlace();
    const store = openAt(place.directory);
    await store.close();
    const unreachable = expect.objectContaining({ code: 'ERR_QUEUE_UNREACHABLE' });
    await expect(store.queue.add([trigger('a', '1')])).rejects.toEqual(unreachable);
    await expect(store.keyValues.set('a', '1')).rejects.toEqual(unreachable);
    await expect(store.journal.read('a')).rejects.toEqual(unreachable);
    await place.dispose();
  });
});
