import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { StateFile } from '../../src/queue/embedded/state-file.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';

const UNREACHABLE = expect.objectContaining({ code: 'ERR_QUEUE_UNREACHABLE' });

describe('the state file', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-state-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const put = (file: StateFile, name: string, value = '') =>
    file.write(() => file.sql('INSERT INTO facts (name, value) VALUES (?, ?)').run(name, value));
  const names = (file: StateFile) =>
    file
      .sql('SELECT name FROM facts ORDER BY name')
      .all()
      .map((row) => row.text('name'));

  it('undoes a write that fails and keeps those that share its transaction', async () => {
    const file = new StateFile(directory);
    const failing = file.write(() => {
      file.sql('INSERT INTO facts (name, value) VALUES (?, ?)').run('half', '');
      throw new Error('no');
    });
    const results = await Promise.allSettled([put(file, 'a'), failing, put(file, 'b')]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(failing).rejects.toEqual(UNREACHABLE);
    expect(names(file)).toEqual(['a', 'b']);
    file.close();
  });

  it('rejects what does not fit on the disk, and goes on when there is room', async () => {
    const file = new StateFile(directory);
    const pages = file.sql('PRAGMA page_count').first()?.integer('page_count') ?? 0;
    file.sql(`PRAGMA max_page_count = ${pages}`).all();
    await expect(put(file, 'large', 'x'.repeat(100_000))).rejects.toEqual(UNREACHABLE);
    expect(names(file)).toEqual([]);
    file.sql(`PRAGMA max_page_count = ${pages + 1000}`).all();
    await put(file, 'large', 'x'.repeat(100_000));
    expect(names(file)).toEqual(['large']);
    file.close();
  });

  it('commits what waits when it is closed', async () => {
    const file = new StateFile(directory);
    const written = put(file, 'last');
    file.close();
    await written;
    const again = new StateFile(directory);
    expect(names(again)).toEqual(['last']);
    again.close();
  });

  it('takes a file of an older version, which did not know since when a key waits', async () => {
    const file = new StateFile(directory);
    file.sql('ALTER TABLE keys DROP COLUMN delayed_at').all();
    file.sql("INSERT INTO keys VALUES ('provider/main', 0, 1, 5, 0, NULL, '')").run();
    file.close();
    const again = new StateFile(directory);
    expect(again.sql('SELECT due_at, delayed_at FROM keys').first()?.integer('delayed_at')).toBe(0);
    again.close();
    new StateFile(directory).close();
  });

  it('refuses a file that is no state file, and one of a newer version, and gives the directory free', () => {
    const open = () =>
      createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });
    writeFileSync(join(directory, 'queue.db'), 'not a database '.repeat(1000));
    expect(open).toThrow(UNREACHABLE);
    expect(open).toThrow(UNREACHABLE);
    rmSync(join(directory, 'queue.db'));
    const file = new StateFile(directory);
    file.sql('PRAGMA user_version = 2').all();
    file.close();
    expect(open).toThrow(expect.objectContaining({ message: expect.stringContaining('newer scopemesh') }));
  });
});
