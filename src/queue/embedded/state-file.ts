import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { codeOf, messageOf, SyncError } from '../../errors.js';
import { Row } from '../../sqlite.js';
import { type SyncFile, WriteAheadLog } from './write-ahead-log.js';

type Value = string | number;

export interface Statement {
  /** Rows changed. */
  run(...values: Value[]): number;
  all(...values: Value[]): Row[];
  first(...values: Value[]): Row | undefined;
}

/** Throws if a write must not be made; called within its transaction. */
export type Check = () => void;

/** What a state file holds. */
export interface StateSchema {
  readonly fileName: string;
  /** A file of another version is refused. */
  readonly version: number;
  /** How long a write that follows on several others waits for more: alone it costs several times as much as among forty. */
  readonly gatherMs: number;
  /** What is gone without the file, as a clause for the error about a damaged one. */
  readonly lost: string;
  /** Creates the tables of a new file, within a transaction. */
  create(database: Database.Database): void;
  /** Prepares each connection. */
  open?(database: Database.Database): void;
}

/** Space for the file when the disk is full. */
export interface FileSpace {
  /** True: there may be room now, so the same is tried again. */
  give(): boolean;
  /** Whether some was given and not replaced yet. Then the file grows as little as possible. */
  isLow(): boolean;
}
const NO_SPACE: FileSpace = { give: () => false, isLow: () => false };

interface Write {
  apply(): void;
  settle(failure: Error | undefined): void;
}

// Bounds how long one transaction keeps the event loop: some milliseconds.
const ROWS_IN_ONE_COMMIT = 400;
// So many writes are a large commit already.
const WRITES_WORTH_A_COMMIT = 64;
// A few writes are those of single events, which must not wait for more.
const WRITES_WORTH_A_WAIT = 4;
// A row takes up to some pages in the log.
const ROWS_BETWEEN_CHECKPOINTS = 5000;
// On a full disk the log is begun again earlier, but not for each commit.
const ROWS_WORTH_A_CHECKPOINT = 100;

/**
 * A SQLite file in the state directory. Writes of one turn of the event loop, or during a sync, share one transaction and
 * one sync. Each of them is all or nothing by itself. No write waits for another file, and the event loop waits for no
 * sync. Throws SyncError ERR_QUEUE_UNREACHABLE.
 */
export class StateFile {
  /** Rejects with ERR_STATE_DAMAGED once SQLite finds that the file is damaged. Nothing can be done with it then. */
  readonly damaged: Promise<never>;
  #onDamage: (error: SyncError) => void = () => {};
  readonly #path: string;
  readonly #lost: string;
  readonly #gatherMs: number;
  readonly #space: FileSpace;
  readonly #database: Database.Database;
  /** None where the file system has no shared memory: SQLite syncs there by itself. */
  readonly #log: WriteAheadLog | undefined;
  readonly #statements = new Map<string, Statement>();
  #waiting: Write[] = [];
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #rowsChanged = 0;
  #rowsInLog = 0;
  #copying: Promise<void> | undefined;
  #isBulkCopied = false;
  /** A sync or a checkpoint failed, and the log was not repaired since. */
  #isBroken = false;
  #closing: Promise<void> | undefined;

  constructor(directory: string, schema: StateSchema, sync?: SyncFile, space: FileSpace = NO_SPACE) {
    this.#path = join(directory, schema.fileName);
    this.#gatherMs = schema.gatherMs;
    this.#lost = schema.lost;
    this.#space = space;
    this.damaged = new Promise((_resolve, reject) => {
      this.#onDamage = reject;
    });
    this.damaged.catch(() => {});
    try {
      this.#database = new Database(this.#path, { timeout: 5000 });
      // It says who may call whom, so only its owner may read it. SQLite gives its other files the same mode.
      chmodSync(this.#path, 0o600);
      this.#database.exec('PRAGMA journal_mode = WAL');
      this.#database.exec('PRAGMA synchronous = FULL');
      requireIntact(this.#database, this.#path, this.#lost);
      const version = this.#pragma('user_version').integer('user_version');
      if (version !== 0 && version !== schema.version)
        throw new Error(
          `another scopemesh wrote it (version ${version}, and this one has ${schema.version})`,
        );
      this.#database.exec('PRAGMA temp_store = MEMORY');
      if (version === 0) this.#create(schema);
      schema.open?.(this.#database);
      if (this.#pragma('journal_mode').text('journal_mode') === 'wal') {
        this.#log = new WriteAheadLog(this.#path, sync);
        this.#database.exec('PRAGMA synchronous = NORMAL');
        this.#pragma('wal_autocheckpoint = 0');
      }
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #create(schema: StateSchema): void {
    this.#database.exec('BEGIN IMMEDIATE');
    schema.create(this.#database);
    this.#database.exec(`PRAGMA user_version = ${schema.version}`);
    this.#database.exec('COMMIT');
  }

  /** The statement, prepared once. */
  sql(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    const prepared: Statement = {
      run: (...values) => {
        const { changes } = statement.run(values);
        this.#rowsChanged += changes;
        return changes;
      },
      all: (...values) => statement.all(values).map((row) => new Row(row)),
      first: (...values) => {
        // `all` and not `get`: a statement that is left halfway keeps its read transaction open.
        const [row] = statement.all(values);
        return row === undefined ? undefined : new Row(row);
      },
    };
    this.#statements.set(sql, prepared);
    return prepared;
  }

  /** Reads without waiting. Sees every resolved write, and may see one that is not on disk yet. */
  read<T>(query: () => T): T {
    try {
      return query();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** As `read`, for data that leaves the process: resolves once everything that was read is on disk. */
  async readDurable<T>(query: () => T): Promise<T> {
    const value = this.read(query);
    await this.#syncing?.catch(() => {});
    // The next write repairs.
    if (this.#isBroken) await this.write(() => {});
    return value;
  }

  /**
   * Resolves with the result of `apply` once its writes are on disk. If it rejects, they may still be there. `apply` runs
   * again if another write of the transaction fails, or if the disk was full; its first run is undone then. `check` runs
   * before it each time: if it throws, nothing is written.
   */
  write<T>(apply: () => T, check?: Check): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closing !== undefined) throw this.#failure(new Error('it is closed'));
      let result: { readonly value: T } | undefined;
      this.#waiting.push({
        apply: () => {
          check?.();
          result = { value: apply() };
        },
        settle: (failure) => {
          if (failure === undefined && result !== undefined) resolve(result.value);
          else reject(failure ?? new Error('the write did not run'));
        },
      });
      this.#writing ??= this.#writeAll();
    });
  }

  /** False if the file system cannot provide durability (a network share without shared memory). */
  isDurable(): boolean {
    return this.#log !== undefined && this.#pragma('journal_mode').text('journal_mode') === 'wal';
  }

  /** Makes the waiting writes, then closes. Later calls throw. Repeating is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#copying;
    this.#log?.close();
    this.#database.close();
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Other writes of this turn share the commit.
      await new Promise((resolve) => setImmediate(resolve));
      const written = await this.#writeSome();
      const { length } = this.#waiting;
      const isBusy = Math.max(written, length) >= WRITES_WORTH_A_WAIT;
      if (this.#gatherMs > 0 && isBusy && length > 0 && length < WRITES_WORTH_A_COMMIT)
        await new Promise((resolve) => setTimeout(resolve, this.#gatherMs));
    }
    this.#writing = undefined;
  }

  /** Makes the first of the waiting writes, at least one; resolves with how many. */
  async #writeSome(): Promise<number> {
    const writes: Write[] = [];
    const failures = new Map<Write, Error>();
    try {
      if (this.#isBroken) await this.#repair();
      this.#commit(writes, failures);
      if (failures.size < writes.length) await this.#sync();
    } catch (error) {
      if (isFull(error) && (await this.#makeRoom())) {
        this.#waiting.unshift(...writes);
        return 0;
      }
      const failure = this.#failure(error);
      if (writes.length === 0) writes.push(...this.#waiting.splice(0));
      for (const write of writes) failures.set(write, failure);
    }
    for (const write of writes) write.settle(failures.get(write));
    await this.#checkpoint();
    return writes.length;
  }

  /** Moves the committed writes from the waiting ones to `writes`. */
  #commit(writes: Write[], failures: Map<Write, Error>): void {
    try {
      this.#transact(() => {
        while (this.#rowsChanged < ROWS_IN_ONE_COMMIT) {
          const write = this.#waiting.shift();
          if (write === undefined) return;
          writes.push(write);
          write.apply();
        }
      });
    } catch (error) {
      if (isFull(error)) throw error;
      // Savepoints cost as much as the writes, so they are used only to find the write that fails.
      this.#transact(() => {
        for (const write of writes) this.#applyAlone(write, failures);
      });
    }
  }

  #transact(apply: () => void): void {
    this.sql('BEGIN IMMEDIATE').run();
    this.#rowsChanged = 0;
    try {
      apply();
      this.sql('COMMIT').run();
      this.#rowsInLog += this.#rowsChanged;
    } finally {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
    }
  }

  #applyAlone(write: Write, failures: Map<Write, Error>): void {
    this.sql('SAVEPOINT one').run();
    try {
      write.apply();
    } catch (error) {
      if (isFull(error)) throw error;
      failures.set(write, this.#failure(error));
      this.sql('ROLLBACK TO one').run();
    }
    this.sql('RELEASE one').run();
  }

  /** After the disk was full. The log is begun again first, which needs no space, and only then space is asked for. */
  async #makeRoom(): Promise<boolean> {
    if (this.#isBroken || this.#rowsInLog < ROWS_WORTH_A_CHECKPOINT) return this.#space.give();
    await this.#copying;
    await this.#copy();
    this.#startLog();
    return true;
  }

  async #sync(): Promise<void> {
    try {
      this.#syncing = this.#log?.sync();
      await this.#syncing;
    } catch (error) {
      this.#isBroken = true;
      if (!isFull(error) || !this.#space.give()) throw error;
      // The writes are in the log already, and this makes all of the log durable.
      await this.#repair();
    } finally {
      this.#syncing = undefined;
    }
  }

  /** Copies the log into the database, so that the log starts again: most of it while writes go on, then the rest. */
  async #checkpoint(): Promise<void> {
    if (this.#isBroken || this.#copying !== undefined) return;
    if (this.#isBulkCopied) {
      await this.#copy();
      this.#startLog();
    } else if (
      this.#rowsInLog >= (this.#space.isLow() ? ROWS_WORTH_A_CHECKPOINT : ROWS_BETWEEN_CHECKPOINTS)
    ) {
      this.#copying = this.#copy().then(() => {
        this.#copying = undefined;
        this.#isBulkCopied = true;
      });
    }
  }

  async #copy(): Promise<void> {
    // A failure leaves the log as it was. The next write repairs it, or fails with the reason.
    await this.#log?.checkpoint().catch(() => {
      this.#isBroken = true;
    });
  }

  async #repair(): Promise<void> {
    await this.#copying;
    for (let isRepaired = false; !isRepaired; ) {
      try {
        await this.#log?.repair();
        isRepaired = true;
      } catch (error) {
        if (!isFull(error) || !this.#space.give()) throw error;
      }
    }
    this.#isBroken = false;
    this.#startLog();
  }

  #startLog(): void {
    this.#isBulkCopied = false;
    this.#rowsInLog = 0;
  }

  #failure(error: unknown): SyncError {
    const failure = failureOf(this.#path, this.#lost, error);
    if (failure.code === 'ERR_STATE_DAMAGED') this.#onDamage(failure);
    return failure;
  }

  #pragma(name: string): Row {
    return new Row(this.#database.prepare(`PRAGMA ${name}`).all()[0]);
  }
}

/** Throws ERR_STATE_DAMAGED if the file is damaged. Takes about a second for a file of some hundred megabytes. */
function requireIntact(database: Database.Database, path: string, lost: string): void {
  const found = new Row(database.prepare('PRAGMA quick_check(1)').all()[0]).text('quick_check');
  if (found !== 'ok') throw damaged(path, lost, new Error(found.replaceAll(/\s+/g, ' ')));
}

/** What `error` says about the file. `lost`: as in `StateSchema`. */
function failureOf(path: string, lost: string, error: unknown): SyncError {
  if (error instanceof SyncError) return error;
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error))) return damaged(path, lost, error);
  return new SyncError(
    'ERR_QUEUE_UNREACHABLE',
    `the state file ${path} cannot be used: ${messageOf(error)}`,
    {
      retriable: true,
      cause: error,
    },
  );
}

/** SQLite names only some of the calls that fail for lack of space, and a quota none of them. */
export function isFull(error: unknown): boolean {
  return /^(SQLITE_FULL|SQLITE_IOERR_(WRITE|SHMSIZE|TRUNCATE|FSYNC)|ENOSPC|EDQUOT)$/.test(codeOf(error));
}

function damaged(path: string, lost: string, error: unknown): SyncError {
  return new SyncError(
    'ERR_STATE_DAMAGED',
    `the state file ${path} is damaged (${messageOf(error)}). ` +
      `Stop scopemesh, move ${path} with its -wal and -shm files away, restore them from a backup or start without them. ` +
      `Without them scopemesh reads both sides again; ${lost}.`,
    { retriable: false, cause: error },
  );
}
