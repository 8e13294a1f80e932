import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import {
  createEmbeddedKeyValueStore,
  type EmbeddedKeyValueStore,
} from '../../../src/queue/embedded/key-value-store.js';
import { JOURNAL_FILE, QUEUE_FILE } from '../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../src/queue/embedded/state-file.js';
import { gate } from '../../conformance/store-harness.js';
import { until } from '../../support/until.js';
import { newDirectory } from '../../support/use-directory.js';

describe('the embedded key-value store', () => {
  let directory: string;
  let files: { readonly queue: StateFile; readonly journal: StateFile };
  let syncJournal: () => Promise<void>;
  let keyValues: EmbeddedKeyValueStore;
  beforeEach(() => {
    directory = newDirectory();
    files = {
      queue: new StateFile(directory, QUEUE_FILE, async () => {}),
      journal: new StateFile(directory, JOURNAL_FILE, () => syncJournal()),
    };
    keyValues = createEmbeddedKeyValueStore(files, systemClock);
  });
  afterEach(() => Promise.all([files.queue.close(), files.journal.close()]));

  it('gives a leader a value once it is on disk, and everybody else at once', async () => {
    const disk = gate();
    let syncs = 0;
    syncJournal = () => {
      syncs++;
      return disk.opened;
    };
    const order: string[] = [];
    const written = keyValues.set('order', 'stored').then(() => order.push('written'));
    await until('the sync', () => syncs === 1);
    const read = keyValues
      .fencedBy(() => {})
      .get('order')
      .then((value) => order.push(`read ${value}`));
    expect(await keyValues.get('order')).toBe('stored');
    await keyValues.remember('event', ['1'], 60_000);
    expect(order).toEqual([]);
    disk.open();
    await Promise.all([written, read]);
    expect(order.toSorted()).toEqual(['read stored', 'written']);
  });

  it('makes a value durable before a leader reads it, after its own sync failed', async () => {
    syncJournal = async () => {
      throw new Error('EIO');
    };
    await expect(keyValues.set('order', 'stored')).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
    syncJournal = async () => {};
    expect(statSync(join(directory, 'journal.db-wal')).size).toBeGreaterThan(0);
    expect(await keyValues.fencedBy(() => {}).get('order')).toBe('stored');
    // What the failed sync may have lost is in the database now.
    expect(statSync(join(directory, 'journal.db-wal')).size).toBe(0);
  });
});
