import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'libsql';
import type AsyncDatabase from 'libsql/promise';
import { messageOf, SyncError } from '../../errors.js';
import { makeStateDirectory } from '../../make-directory.js';
import { Queries, type Row } from '../../sqlite.js';
import { CARRY, FORGET, SUBJECTS } from './subject-index.js';
import { FOLLOWER } from './topic-index-state.js';

/** One stored decision. */
interface StoredDecision {
  readonly seq: number;
  readonly id: string;
  readonly time: string;
  readonly subject: string;
  /** The CloudEvent as JSON. */
  readonly event: string;
}

/** A position with its event, or with what a query selects in the place of the event. */
export type PlacedRow = Pick<StoredDecision, 'seq' | 'event'>;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS decisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    subject TEXT NOT NULL,
    event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS checkpoints ON decisions (time) WHERE subject LIKE 'checkpoint/%';
`;
/** What is appended next, in memory. Only statements without parameters run off the event loop. */
const BATCH = `
  PRAGMA temp_store = MEMORY;
  CREATE TEMP TABLE batch (place INTEGER PRIMARY KEY, id TEXT, time TEXT, subject TEXT, event TEXT)`;
const NOTE = 'INSERT INTO batch (id, time, subject, event) VALUES (?, ?, ?, ?)';
const EMPTY = 'DELETE FROM batch';
const APPEND = `
  BEGIN IMMEDIATE;
  INSERT INTO decisions (id, time, subject, event)
    SELECT id, time, subject, event FROM batch WHERE true ORDER BY place
    ON CONFLICT (id) DO NOTHING;
  ${EMPTY};
  COMMIT;`;
/** Notes per turn of the event loop: a millisecond. */
const NOTES_IN_ONE_TURN = 250;
/** Rows deleted in one transaction: a few milliseconds. */
const IN_ONE_TURN = 100;
/** Sorts after every instant. */
const END_OF_TIME = '9999';
/** How often old decisions are deleted. */
const DELETE_EVERY_MS = 3_600_000;
/** How long a statement waits for another process, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * The file `decisions.db` of a directory: one process appends while others read. Throws SyncError
 * ERR_DECISIONS_UNREACHABLE, retriable because a full disk or a busy file passes.
 */
export class DecisionFile {
  readonly #path: string;
  readonly #synchronous: 'FULL' | 'NORMAL';
  readonly #database: Database.Database;
  readonly #queries: Queries;
  /** Appends off the event loop, which therefore waits for no lock, no index and no disk. */
  #writer: AsyncDatabase | undefined;
  #writing: Promise<void> = Promise.resolve();
  #deletedAt = Number.NEGATIVE_INFINITY;

  /** With `synchronous` NORMAL, the last appends may be lost when the machine fails. */
  constructor(directory: string, synchronous: 'FULL' | 'NORMAL' = 'FULL') {
    this.#synchronous = synchronous;
    this.#path = join(directory, 'decisions.db');
    try {
      makeStateDirectory(directory);
      const database = new Database(this.#path, { timeout: BUSY_TIMEOUT_MS });
      // The decisions are confidential. SQLite gives its side files the mode of this file.
      chmodSync(this.#path, 0o600);
      database.pragma('journal_mode = WAL');
      createTables(database);
      this.#database = database;
      this.#queries = new Queries(database);
    } catch (error) {
      throw unreachable(this.#path, error);
    }
  }

  /** All or none, on the disk when it resolves; skips IDs that exist already. */
  append(decisions: readonly Omit<StoredDecision, 'seq'>[]): Promise<void> {
    return this.#inTurn((writer) => this.#append(writer, decisions));
  }

  /** The decisions after `after`, oldest first. */
  page(after: number, limit: number): readonly PlacedRow[] {
    const page = 'SELECT seq, event FROM decisions WHERE seq > ? ORDER BY seq LIMIT ?';
    return this.#all(page, after, limit).map(toPlaced);
  }

  /** The newest position; 0 in an empty log. */
  last(): number {
    return this.#integer('SELECT coalesce(max(seq), 0) AS seq FROM decisions') ?? 0;
  }

  /** The oldest position; 0 in an empty log. */
  first(): number {
    return this.#integer('SELECT seq FROM decisions ORDER BY seq LIMIT 1') ?? 0;
  }

  /** The newest event that is not a checkpoint. */
  lastDecision(): string | undefined {
    return this.#all(
      "SELECT event FROM decisions WHERE subject NOT LIKE 'checkpoint/%' ORDER BY seq DESC LIMIT 1",
    )[0]?.text('event');
  }

  /** The position of an id. */
  find(id: string): number | undefined {
    return this.#integer('SELECT seq FROM decisions WHERE id = ?', id);
  }

  /**
   * Once an hour deletes the oldest decisions up to the first that is not older than `before` (ISO 8601). A log with checkpoints
   * keeps the last checkpoint older than that, or else its first one, and what follows it, so that the rest can be verified. The
   * newest decision stays, because its position tells where the log ends. Resolves with the number of deleted rows.
   */
  async deleteOld(now: number, before: string): Promise<number> {
    // The clock may have been set back.
    if (Math.abs(now - this.#deletedAt) < DELETE_EVERY_MS) return 0;
    this.#deletedAt = now;
    return this.#inTurn((writer) => this.#deleteBefore(writer, before));
  }

  /** Waits for running appends. */
  async close(): Promise<void> {
    await this.#writing;
    this.#writer?.close();
    if (this.#database.open) this.#queries.close();
  }

  /** One write after the other; one that fails does not keep the next one back. */
  #inTurn<T>(write: (writer: AsyncDatabase) => Promise<T>): Promise<T> {
    const written = this.#writing.then(async () => {
      try {
        this.#writer ??= await openWriter(this.#path, this.#synchronous);
        return await write(this.#writer);
      } catch (error) {
        throw unreachable(this.#path, error);
      }
    });
    this.#writing = written.then(
      () => {},
      () => {},
    );
    return written;
  }

  async #append(writer: AsyncDatabase, decisions: readonly Omit<StoredDecision, 'seq'>[]): Promise<void> {
    try {
      const note: { run(...values: unknown[]): unknown } = await writer.prepare(NOTE);
      for (const [index, { id, time, subject, event }] of decisions.entries()) {
        if (index % NOTES_IN_ONE_TURN === NOTES_IN_ONE_TURN - 1) await setImmediate();
        note.run(id, time, subject, event);
      }
      await writer.exec(APPEND);
    } catch (error) {
      await this.#forgetBatch(writer);
      throw error;
    }
  }

  /** Nothing of a batch that failed comes along with the next one: at worst it goes with its connection. */
  async #forgetBatch(writer: AsyncDatabase): Promise<void> {
    await writer.exec('ROLLBACK').catch(() => {});
    await writer.exec(EMPTY).catch(() => {
      this.#writer = undefined;
      writer.close();
    });
  }

  async #deleteBefore(writer: AsyncDatabase, time: string): Promise<number> {
    const carry: { run(...values: unknown[]): unknown } = await writer.prepare(CARRY);
    const remove: { run(...values: unknown[]): unknown } = await writer.prepare(
      'DELETE FROM decisions WHERE seq <= ?',
    );
    const checkpoint = (which: 'min' | 'max', before: string) =>
      this.#integer(
        `SELECT coalesce(${which}(seq), 0) AS seq FROM decisions WHERE subject LIKE 'checkpoint/%' AND time < ?`,
        before,
      );
    const beginning = checkpoint('max', time) || checkpoint('min', END_OF_TIME);
    for (let deleted = 0; ; ) {
      const end = beginning || this.last();
      const rows = this.#all('SELECT seq, time FROM decisions ORDER BY seq LIMIT ?', IN_ONE_TURN);
      const isOld = (row: Row) => row.text('time') < time && row.integer('seq') < end;
      const kept = rows.findIndex((row) => !isOld(row));
      const old = kept === -1 ? rows : rows.slice(0, kept);
      const upTo = old.at(-1)?.integer('seq');
      if (upTo !== undefined)
        await inTransaction(writer, () => {
          carry.run(upTo);
          remove.run(upTo);
        });
      deleted += old.length;
      if (old.length < IN_ONE_TURN) {
        if (deleted > 0) await writer.exec(FORGET);
        return deleted;
      }
      await setImmediate();
    }
  }

  #integer(sql: string, ...values: readonly string[]): number | undefined {
    return this.#all(sql, ...values)[0]?.integer('seq');
  }

  #all(sql: string, ...values: readonly (string | number)[]): readonly Row[] {
    try {
      return this.#queries.all(sql, ...values);
    } catch (error) {
      throw unreachable(this.#path, error);
    }
  }
}

/** Makes what is missing: the same tables in each log. */
export function createTables(database: Database.Database): void {
  database.exec(SCHEMA + SUBJECTS + FOLLOWER);
}

async function inTransaction(writer: AsyncDatabase, work: () => void | Promise<void>): Promise<void> {
  await writer.exec('BEGIN IMMEDIATE');
  try {
    await work();
    await writer.exec('COMMIT');
  } catch (error) {
    // SQLite may have rolled back already.
    await writer.exec('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function openWriter(path: string, synchronous: 'FULL' | 'NORMAL'): Promise<AsyncDatabase> {
  // Readers, such as most commands, do without it.
  const { default: Database } = await import('libsql/promise');
  const writer = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  await writer.exec(`PRAGMA synchronous = ${synchronous}; ${BATCH}`);
  return writer;
}

/** An error of SQLite as ERR_DECISIONS_UNREACHABLE. */
export function unreachable(path: string, error: unknown): SyncError {
  if (error instanceof SyncError) return error;
  return new SyncError(
    'ERR_DECISIONS_UNREACHABLE',
    `the decision log ${path} cannot be used (${messageOf(error)}); check that its directory is writable and that the disk is not full.`,
    { retriable: true, cause: error },
  );
}

export function toPlaced(row: Row): PlacedRow {
  return { seq: row.integer('seq'), event: row.text('event') };
}
