import { createRequire } from 'node:module';
import { join } from 'node:path';
import { makeDirectory } from '../../../make-directory.js';
import type { Journal, SavedRow, SavedState } from './journal.js';
import { createTables, type TableName } from './tables.js';

interface Statement {
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
}

interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/**
 * Keeps the state in `consul.sqlite` of the directory, which is created if missing. Throws where the file cannot
 * be opened, or is held by another process.
 */
export function openSqliteJournal(directory: string): Journal {
  makeDirectory(directory);
  const lock = lockDirectory(directory);
  const database = openDatabase(join(directory, 'consul.sqlite'));
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS rows (kind TEXT, key TEXT, json TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS indexes (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
  `);
  const putRow = database.prepare('INSERT OR REPLACE INTO rows VALUES (?, ?, ?)');
  const dropRow = database.prepare('DELETE FROM rows WHERE kind = ? AND key = ?');
  const putIndex = database.prepare('INSERT OR REPLACE INTO indexes VALUES (?, ?)');
  const dropIndex = database.prepare('DELETE FROM indexes WHERE name = ?');

  const commit: Journal['commit'] = (index, rows, indexes) => {
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const { table, key, row } of rows) {
        if (row === undefined) dropRow.run(table, key);
        else putRow.run(table, key, JSON.stringify(row));
      }
      for (const [name, value] of indexes) {
        if (value === undefined) dropIndex.run(name);
        else putIndex.run(name, value);
      }
      putIndex.run(lastIndexName, index);
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    load: () => loadState(database),
    commit,
    close: () => {
      database.close();
      lock.close();
    },
  };
}

/** Locks a separate file for the life of this process, so that no stale lock remains. */
function lockDirectory(directory: string): Database {
  const lock = openDatabase(join(directory, 'consul.lock'));
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw new Error(`the data directory ${directory} is locked by another embedded Consul.`, {
      cause: error,
    });
  }
}

/** The name of the greatest index, beside those of tables; no table has it. */
const lastIndexName = '*';

function loadState(database: Database): SavedState {
  // Earlier versions kept health checks, which are not served any more.
  const rows = database
    .prepare("SELECT kind, key, json FROM rows WHERE kind <> 'checks'")
    .all()
    .map(parseRow);
  const all = database.prepare('SELECT name, value FROM indexes').all().map(parseIndex);
  const last = all.find(([name]) => name === lastIndexName);
  return { rows, indexes: all.filter(([name]) => name !== lastIndexName), lastIndex: last?.[1] ?? 0 };
}

/** The file holds what this program wrote: rows are taken as their table's. */
function parseRow(stored: unknown): SavedRow {
  const { kind, key, json } = Object(stored);
  if (!Object.hasOwn(createTables(), String(kind)))
    throw new Error('the state file holds a row of an unknown kind');
  return { table: kind as TableName, key: String(key), row: JSON.parse(String(json)) } as SavedRow;
}

function parseIndex(stored: unknown): readonly [string, number] {
  const { name, value } = Object(stored);
  return [String(name), Number(value)];
}

/** The vendor module is CommonJS and loads its native part when required: only a persisted state pays for it. */
function openDatabase(path: string): Database {
  const Constructor: new (path: string, options: object) => Database = createRequire(import.meta.url)(
    'libsql',
  );
  return new Constructor(path, { timeout: 0 });
}
