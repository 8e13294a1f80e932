import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import type { Journal } from '../../src/queue/journal.js';
import { createJournalMemory } from '../../src/queue/journal-memory.js';
import { draft, hold, settled } from '../conformance/journal.js';
import { newDirectory } from '../support/use-directory.js';

describe('the journal with its records in memory', () => {
  let directory: string;
  let store: EmbeddedStore;
  let memory: Journal;
  beforeEach(() => {
    directory = newDirectory();
    store = createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });
    memory = createJournalMemory(store.journal);
  });
  afterEach(() => store.close());

  it.each([
    ['known from the start', true],
    ['read when it is asked for', false],
  ])('says of a key what the store says, after each step, %s', async (_, isPrimed) => {
    if (isPrimed) await memory.readAll();
    const isSame = async () => expect(await memory.read('k')).toEqual(await store.journal.read('k'));
    await isSame();
    await memory.record('k', [draft('1'), draft('2')]);
    await isSame();
    await memory.record('k', [draft('3')], ['1']);
    await isSame();
    await memory.settle('k', [settled('2'), settled('3')], {
      lastApplied: new Map([['a', 'x']]),
      holds: new Map([['h', hold('h')]]),
    });
    await isSame();
    await memory.settle('k', [], { lastApplied: new Map([['a', null]]), holds: new Map([['h', null]]) });
    await isSame();
  });

  it('asks the store of a key once', async () => {
    const read = vi.spyOn(store.journal, 'read');
    await memory.read('k');
    await memory.record('k', [draft('1')]);
    await memory.read('k');
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('asks the store again after a write that failed', async () => {
    await memory.readAll();
    vi.spyOn(store.journal, 'record').mockImplementationOnce(async (key, drafts) => {
      await store.journal.settle(key, [], { lastApplied: new Map([['made', 'all the same']]) });
      expect(drafts).toHaveLength(1);
      throw new Error('the answer was lost');
    });
    await expect(memory.record('k', [draft('1')])).rejects.toThrow('the answer was lost');
    expect((await memory.read('k')).lastApplied.get('made')).toBe('all the same');
  });
});
