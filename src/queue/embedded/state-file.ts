import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { messageOf, SyncError } from '../../errors.js';
import { Row } from './rows.js';

type Value = string | number;

export interface Statement {
  /** Rows changed. */
  run(...values: Value[]): number;
  all(...values: Value[]): Row[];
  first(...values: Value[]): Row | undefined;
}

// `seq` orders: triggers by arrival, keys by their oldest trigger or their last wait, decisions by settlement.
// AUTOINCREMENT, so that a number never comes again: a run forgets what it read by the highest number it saw.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS triggers (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, urgent INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS triggers_of_key ON triggers (key, seq);
CREATE TABLE IF NOT EXISTS keys (
  key TEXT PRIMARY KEY, urgent INTEGER NOT NULL, seq INTEGER NOT NULL, due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL, parked_since TEXT, error TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_in_order ON keys (urgent DESC, seq) WHERE parked_since IS NULL;
CREATE INDEX IF NOT EXISTS keys_by_due ON keys (due_at) WHERE parked_since IS NULL;
CREATE TABLE IF NOT EXISTS pending (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS pending_of_key ON pending (key, seq);
CREATE TABLE IF NOT EXISTS revisions (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settled (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS written (
  key TEXT NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
  key TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remembered (
  scope TEXT NOT NULL, id TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS remembered_by_expiry ON remembered (expires_at);
CREATE TABLE IF NOT EXISTS rechecks (
  provider TEXT NOT NULL, id TEXT NOT NULL, due_at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (provider, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rechecks_by_due ON rechecks (provider, due_at);
PRAGMA user_version = 1;
`;
const VERSION = 1;
// Files of an older scopemesh have no such column, and an older one that opens a newer file need not know of it.
const DELAYED_AT = 'ALTER TABLE keys ADD COLUMN delayed_at INTEGER NOT NULL DEFAULT 0';

interface Write {
  apply(): void;
  settle(failure: Error | undefined): void;
}

/**
 * `queue.db` in the state directory. Writes of one turn of the event loop share one transaction and one fsync,
 * and each of them is all or nothing by itself. Throws SyncError ERR_QUEUE_UNREACHABLE.
 */
export class StateFile {
  readonly #directory: string;
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Statement>();
  #waiting: Write[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    try {
      this.#database = new Database(join(directory, 'queue.db'), { timeout: 5000 });
      // Who could call what is nobody else's business; the side files take the mode of this one.
      chmodSync(join(directory, 'queue.db'), 0o600);
      this.#database.exec('PRAGMA journal_mode = WAL');
      this.#database.exec('PRAGMA synchronous = FULL');
      const version = new Row(this.#database.prepare('PRAGMA user_version').all()[0]).integer('user_version');
      if (version > VERSION) throw new Error(`a newer scopemesh wrote it (version ${version})`);
      this.#database.exec(SCHEMA);
      const columns = this.sql('PRAGMA table_info(keys)').all();
      if (columns.every((column) => column.text('name') !== 'delayed_at')) this.#database.exec(DELAYED_AT);
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  /** The statement, prepared once. */
  sql(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    const prepared: Statement = {
      run: (...values) => statement.run(...values).changes,
      all: (...values) => statement.all(...values).map((row) => new Row(row)),
      first: (...values) => {
        // `all` and not `get`: a statement that is left halfway keeps its read transaction open.
        const [row] = statement.all(...values);
        return row === undefined ? undefined : new Row(row);
      },
    };
    this.#statements.set(sql, prepared);
    return prepared;
  }

  /** Reads without waiting; sees every write that was resolved. */
  read<T>(query: () => T): T {
    try {
      return query();
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  /** Resolves with what `apply` returned once its writes are on disk. */
  write<T>(apply: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let result: { readonly value: T } | undefined;
      this.#waiting.push({
        apply: () => {
          result = { value: apply() };
        },
        settle: (failure) => {
          if (failure === undefined && result !== undefined) resolve(result.value);
          else reject(failure ?? new Error('the write did not run'));
        },
      });
      if (this.#waiting.length === 1) setImmediate(() => this.#commit());
    });
  }

  /** False where the file system does not give what durability needs (a network share without shared memory). */
  isDurable(): boolean {
    const journal = this.sql('PRAGMA journal_mode').first()?.text('journal_mode');
    const synchronous = this.sql('PRAGMA synchronous').first()?.integer('synchronous') ?? 0;
    return journal === 'wal' && synchronous >= 2;
  }

  /** Commits what waits, then closes. Later calls throw. */
  close(): void {
    this.#commit();
    if (this.#database.open) this.#database.close();
  }

  #commit(): void {
    const writes = this.#waiting;
    this.#waiting = [];
    if (writes.length === 0) return;
    const failures = new Map<Write, Error>();
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const write of writes) this.#apply(write, failures);
      this.#database.exec('COMMIT');
    } catch (error) {
      const failure = this.#unreachable(error);
      for (const write of writes) failures.set(write, failure);
      if (this.#database.open && this.#database.inTransaction) this.#database.exec('ROLLBACK');
    }
    for (const write of writes) write.settle(failures.get(write));
  }

  #apply(write: Write, failures: Map<Write, Error>): void {
    this.#database.exec('SAVEPOINT one');
    try {
      write.apply();
    } catch (error) {
      failures.set(write, this.#unreachable(error));
      this.#database.exec('ROLLBACK TO one');
    }
    this.#database.exec('RELEASE one');
  }

  #unreachable(error: unknown): SyncError {
    return new SyncError(
      'ERR_QUEUE_UNREACHABLE',
      `the state file queue.db in ${this.#directory} cannot be used: ${messageOf(error)}`,
      { retriable: true, cause: error },
    );
  }
}
