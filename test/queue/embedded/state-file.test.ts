import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { JOURNAL_FILE, QUEUE_FILE } from '../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../src/queue/embedded/state-file.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { gate } from '../../conformance/store-harness.js';
import { overwritePages } from '../../support/overwrite-pages.js';
import { until } from '../../support/until.js';
import { newDirectory } from '../../support/use-directory.js';

const UNREACHABLE = expect.objectContaining({ code: 'ERR_QUEUE_UNREACHABLE' });
const rejected = { status: 'rejected', reason: UNREACHABLE };

describe('the state file', () => {
  let directory: string;
  beforeEach(() => {
    directory = newDirectory();
  });

  const put = (file: StateFile, name: string, value = '') =>
    file.write(() => file.sql('INSERT INTO facts (name, value) VALUES (?, ?)').run(name, value));
  const names = (file: StateFile) =>
    file
      .sql('SELECT name FROM facts ORDER BY name')
      .all()
      .map((row) => row.text('name'));

  it('undoes a write that fails and keeps those that share its transaction', async () => {
    const file = new StateFile(directory, JOURNAL_FILE);
    const failing = file.write(() => {
      file.sql('INSERT INTO facts (name, value) VALUES (?, ?)').run('half', '');
      throw new Error('no');
    });
    const results = await Promise.allSettled([put(file, 'a'), failing, put(file, 'b')]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(failing).rejects.toEqual(UNREACHABLE);
    expect(names(file)).toEqual(['a', 'b']);
    await file.close();
  });

  it('rejects what does not fit on the disk, and goes on when there is room', async () => {
    const file = new StateFile(directory, JOURNAL_FILE);
    const pages = file.sql('PRAGMA page_count').first()?.integer('page_count') ?? 0;
    file.sql(`PRAGMA max_page_count = ${pages}`).all();
    await expect(put(file, 'large', 'x'.repeat(100_000))).rejects.toEqual(UNREACHABLE);
    expect(names(file)).toEqual([]);
    file.sql(`PRAGMA max_page_count = ${pages + 1000}`).all();
    await put(file, 'large', 'x'.repeat(100_000));
    expect(names(file)).toEqual(['large']);
    await file.close();
  });

  it('begins the log again on a full disk, then asks for space, and makes the same writes once', async () => {
    let given = 0;
    const give = () => {
      given++;
      file.sql(`PRAGMA max_page_count = ${1_000 * given}`).all();
      return true;
    };
    const space = { give, isLow: () => given > 0 };
    const file: StateFile = new StateFile(directory, JOURNAL_FILE, undefined, space);
    await Promise.all(Array.from({ length: 120 }, (_, at) => put(file, `row ${at}`)));
    const pages = file.sql('PRAGMA page_count').first()?.integer('page_count') ?? 0;
    file.sql(`PRAGMA max_page_count = ${pages}`).all();
    await Promise.all([put(file, 'large', 'x'.repeat(100_000)), put(file, 'small')]);
    expect(given).toBe(1);
    expect(names(file)).toHaveLength(122);
    await file.close();
  });

  const overwrite = (name: string) => overwritePages(join(directory, name));
  const fill = async (file: StateFile) => {
    for (let at = 0; at < 20; at++) await put(file, `fact ${at}`, 'x'.repeat(4000));
  };

  it('refuses a file whose bytes were overwritten, and says what to do', async () => {
    const file = new StateFile(directory, JOURNAL_FILE);
    await fill(file);
    file.sql('PRAGMA wal_checkpoint(TRUNCATE)').all();
    await file.close();
    overwrite('journal.db');
    const open = () => new StateFile(directory, JOURNAL_FILE);
    expect(open).toThrow(expect.objectContaining({ code: 'ERR_STATE_DAMAGED', retriable: false }));
    expect(open).toThrow(/journal\.db is damaged .*move .* away, restore them from a backup/);
    expect(open).toThrow(/rulings and rejections, .* are lost/);
  });

  it('reports damage that it meets while it is used', async () => {
    const file = new StateFile(directory, JOURNAL_FILE);
    await fill(file);
    file.sql('PRAGMA wal_checkpoint(TRUNCATE)').all();
    overwrite('journal.db');
    const other = new Database(join(directory, 'journal.db'));
    // Pages that SQLite keeps in memory hide the damage until another process has written.
    expect(() => other.prepare('INSERT INTO facts (name, value) VALUES (?, ?)').run('x', 'y')).toThrow();
    other.close();
    file.sql('PRAGMA cache_size = 0').all();
    file.sql('PRAGMA shrink_memory').all();
    await expect(put(file, 'later', 'x'.repeat(9000))).rejects.toMatchObject({ code: 'ERR_STATE_DAMAGED' });
    await expect(file.damaged).rejects.toMatchObject({ code: 'ERR_STATE_DAMAGED' });
    await file.close();
  });

  it('is damaged in a store that nothing watches for damage, and only the call fails', async () => {
    const store = createEmbeddedStore({
      directory,
      logger: silentLogger,
      metrics: noMetrics,
      clock: systemClock,
    });
    for (let at = 0; at < 20; at++) await store.keyValues.set(`fact ${at}`, 'x'.repeat(4000));
    const other = new Database(join(directory, 'journal.db'));
    other.prepare('INSERT INTO facts (name, value) VALUES (?, ?)').run('x', 'y');
    other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    overwrite('journal.db');
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', listen);
    const reads = Array.from({ length: 20 }, (_, at) => store.keyValues.get(`fact ${at}`));
    const codes = (await Promise.allSettled(reads)).map((each) =>
      each.status === 'rejected' ? each.reason.code : each.status,
    );
    expect(codes).toContain('ERR_STATE_DAMAGED');
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
    other.close();
    await store.close();
  });

  it('commits what waits when it is closed', async () => {
    const file = new StateFile(directory, JOURNAL_FILE);
    const written = put(file, 'last');
    await file.close();
    await written;
    const again = new StateFile(directory, JOURNAL_FILE);
    expect(names(again)).toEqual(['last']);
    await again.close();
  });

  it('refuses a file that is no state file, and one of another version, and gives the directory free', async () => {
    const open = () =>
      createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });
    writeFileSync(join(directory, 'queue.db'), 'not a database '.repeat(1000));
    const damaged = expect.objectContaining({ code: 'ERR_STATE_DAMAGED' });
    expect(open).toThrow(damaged);
    expect(open).toThrow(damaged);
    rmSync(join(directory, 'queue.db'));
    for (const schema of [QUEUE_FILE, JOURNAL_FILE]) {
      const file = new StateFile(directory, schema);
      file.sql(`PRAGMA user_version = ${schema.version + 1}`).all();
      await file.close();
      expect(open).toThrow(
        expect.objectContaining({ message: expect.stringContaining('another scopemesh') }),
      );
      rmSync(join(directory, schema.fileName));
    }
  });

  it('acknowledges a write only after its sync, and syncs once for all that come meanwhile', async () => {
    const syncs: ReturnType<typeof gate>[] = [];
    const file = new StateFile(directory, JOURNAL_FILE, () => {
      const sync = gate();
      syncs.push(sync);
      return sync.opened;
    });
    const settled: string[] = [];
    const write = (name: string) => put(file, name).then(() => settled.push(name));
    const first = write('first');
    await until('the first sync', () => syncs.length === 1);
    expect(names(file)).toEqual(['first']);
    const others = ['a', 'b', 'c'].map(write);
    await new Promise((resolve) => setImmediate(resolve));
    const read = file.readDurable(() => settled.push('read'));
    expect([syncs.length, settled]).toEqual([1, ['read']]);
    syncs[0]?.open();
    await Promise.all([first, read]);
    await until('the second sync', () => syncs.length === 2);
    expect(settled).toEqual(['read', 'first']);
    syncs[1]?.open();
    await Promise.all(others);
    expect([syncs.length, settled]).toEqual([2, ['read', 'first', 'a', 'b', 'c']]);
    await file.close();
  });

  it('lets a write that follows on several others wait for more, so that they share a sync', async () => {
    let syncs = 0;
    const first = gate();
    const sync = () => (++syncs === 1 ? first.opened : Promise.resolve());
    const file = new StateFile(directory, { ...JOURNAL_FILE, gatherMs: 20 }, sync);
    const several = ['a', 'b', 'c', 'd'].map((name) => put(file, name));
    await until('the first sync', () => syncs === 1);
    const next = put(file, 'next');
    first.open();
    await Promise.all(several);
    await new Promise(setImmediate);
    await Promise.all([next, put(file, 'last')]);
    expect(syncs).toBe(2);
    await file.close();
  });

  it('makes a write that follows on a single one at once', async () => {
    let syncs = 0;
    const first = gate();
    const sync = () => (++syncs === 1 ? first.opened : Promise.resolve());
    const file = new StateFile(directory, { ...JOURNAL_FILE, gatherMs: 2_000_000_000 }, sync);
    const writes = [put(file, 'first')];
    await until('the first sync', () => syncs === 1);
    writes.push(put(file, 'second'));
    first.open();
    await Promise.all(writes);
    expect(syncs).toBe(2);
    await file.close();
  });

  it('has every acknowledged write in the files that its sync saw', async () => {
    let copies = 0;
    const copy = () => join(directory, `copy-${copies}`);
    const live = join(directory, 'live');
    mkdirSync(live);
    const file = new StateFile(live, JOURNAL_FILE, async () => {
      copies++;
      cpSync(live, copy(), { recursive: true });
    });
    for (const name of ['a', 'b', 'c']) {
      await put(file, name);
      const after = new StateFile(copy(), JOURNAL_FILE);
      expect(names(after)).toContain(name);
      await after.close();
    }
    await file.close();
  });

  it('rejects all writes of a sync that failed, and repairs the log before the next one', async () => {
    let fails = true;
    const file = new StateFile(directory, JOURNAL_FILE, async () => {
      if (fails) throw new Error('EIO');
    });
    const results = await Promise.allSettled([put(file, 'a'), put(file, 'b')]);
    expect(results).toEqual([rejected, rejected]);
    fails = false;
    expect(statSync(join(directory, 'journal.db-wal')).size).toBeGreaterThan(0);
    await expect(file.readDurable(() => names(file))).resolves.toEqual(['a', 'b']);
    // What was rejected is in the database, and no frame that may be lost is before the next one.
    expect(statSync(join(directory, 'journal.db-wal')).size).toBe(0);
    await put(file, 'c');
    await file.close();
    const again = new StateFile(directory, JOURNAL_FILE);
    expect(names(again)).toEqual(['a', 'b', 'c']);
    await again.close();
  });

  it('rejects every write after a sync that failed as long as the log cannot be repaired', async () => {
    let fails = true;
    const file = new StateFile(directory, JOURNAL_FILE, async () => {
      if (fails) throw new Error('EIO');
    });
    const reader = new Database(join(directory, 'journal.db'), { timeout: 0 });
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM facts').all();
    expect(await Promise.allSettled([put(file, 'a')])).toEqual([rejected]);
    fails = false;
    await expect(put(file, 'b')).rejects.toEqual(UNREACHABLE);
    expect(names(file)).toEqual(['a']);
    reader.exec('COMMIT');
    await put(file, 'b');
    expect(names(file)).toEqual(['a', 'b']);
    reader.close();
    await file.close();
  });

  it('begins its log again under load', async () => {
    const file = new StateFile(directory, JOURNAL_FILE);
    const insert = 'INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)';
    const sizes: number[] = [];
    for (let round = 0; round < 60; round++) {
      const writes = Array.from({ length: 10 }, (_, part) =>
        file.write(() => {
          for (let at = 0; at < 100; at++)
            file.sql(insert).run(`${(at * 37 + part * 100) % 997}`, `${round}`);
        }),
      );
      await Promise.all(writes);
      sizes.push(statSync(join(directory, 'journal.db-wal')).size);
    }
    // It stops growing long before the end; how large it is by then depends on how long a checkpoint takes.
    expect(sizes.at(-1)).toBeLessThan(1.25 * (sizes[40] ?? 0));
    await file.close();
  });
});
