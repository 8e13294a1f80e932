import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyState } from '../../../src/queue/embedded/copy-state.js';
import { newDirectory } from '../../support/use-directory.js';

let above = '';
let state = '';
let writer: Database.Database;
beforeEach(() => {
  above = newDirectory();
  state = join(above, 'state');
  mkdirSync(state, { mode: 0o700 });
  writer = new Database(join(state, 'journal.db'));
  writer.pragma('journal_mode = WAL');
  writer.exec('CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)');
  for (const name of ['trail-key.pem', 'api-token-8080', 'space.reserve'])
    writeFileSync(join(state, name), name, { mode: 0o600 });
});
afterEach(() => {
  writer.close();
});

const rowsOf = (directory: string) => {
  const copy = new Database(join(directory, 'journal.db'), { readonly: true });
  const rows = copy.prepare('SELECT a FROM t ORDER BY a').all();
  copy.close();
  return rows;
};

describe('a copy of the state', () => {
  it('has each database with what is in its log, and no half of a transaction of the daemon', () => {
    writer.exec('BEGIN; INSERT INTO t VALUES (2)');
    const to = join(above, 'backup');
    expect(copyState(state, to)).toEqual(['journal.db', 'trail-key.pem']);
    writer.exec('COMMIT');
    expect(rowsOf(to)).toEqual([{ a: 1 }]);
    expect(readdirSync(to)).toEqual(['journal.db', 'trail-key.pem']);
    for (const name of readdirSync(to)) expect(statSync(join(to, name)).mode & 0o777).toBe(0o600);
    copyState(state, join(above, 'later'));
    expect(rowsOf(join(above, 'later'))).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it('is made in an empty directory alone, and through no link', () => {
    const to = join(above, 'backup');
    copyState(state, to);
    expect(() => copyState(state, to)).toThrow('is not empty');
    mkdirSync(join(above, 'links'));
    symlinkSync(join(above, 'victim'), join(above, 'links', 'journal.db'));
    expect(() => copyState(state, join(above, 'links'))).toThrow('is not empty');
    expect(readdirSync(above)).not.toContain('victim');
  });

  it('is not made of a directory without a state, and leaves nothing if it fails', () => {
    expect(() => copyState(join(above, 'nothing'), join(above, 'backup'))).toThrow('there is no state in');
    writeFileSync(join(state, 'queue.db'), 'not a database', { mode: 0o600 });
    expect(() => copyState(state, join(above, 'backup'))).toThrow('no backup was made: ');
    expect(readdirSync(join(above, 'backup'))).toEqual([]);
  });
});
