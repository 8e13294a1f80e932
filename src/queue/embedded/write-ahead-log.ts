import { closeSync, fdatasync, fstatSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import AsyncDatabase from 'libsql/promise';

/** Resolves when what was written through `fd`, or through any other descriptor of its file, is on disk. */
export type SyncFile = (fd: number) => Promise<void>;

/**
 * Makes what SQLite wrote to a database's write-ahead log durable, off the thread of the event loop.
 *
 * Why a commit is durable after `sync`:
 * - With `synchronous = NORMAL` a commit only appends checksummed frames to the log, and recovery replays every frame
 *   up to the last complete commit (sqlite.org/wal.html). A commit is durable as soon as the log is.
 * - `fdatasync` acts on the file, not on the descriptor: it covers SQLite's writes and the size of the file.
 * - The log lives as long as a connection is open, so the descriptor stays that of the log. Its directory entry is
 *   synced once, here.
 * - A checkpoint syncs the log before and the database after it copies, also with `NORMAL`, and the log begins again
 *   only after that, with a synced header. That header is the one sync that the event loop waits for, once in
 *   thousands of rows. Automatic checkpoints are off, because they run inside of a commit.
 *
 * SQLite keeps its file locks on the database and the shared memory. Only on the log may a descriptor be closed
 * without the loss of a lock.
 */
export class WriteAheadLog {
  readonly #fd: number;
  readonly #sync: SyncFile;
  readonly #checkpoints: AsyncDatabase;

  /** The database is open already, in WAL mode. */
  constructor(databasePath: string, sync: SyncFile = syncContent) {
    this.#sync = sync;
    syncDirectory(dirname(databasePath));
    this.#fd = openSync(`${databasePath}-wal`, 'r+');
    this.#checkpoints = new AsyncDatabase(databasePath, { timeout: 0 });
  }

  sync(): Promise<void> {
    return this.#sync(this.#fd);
  }

  /** Copies the log into the database, as far as no reader needs an older state. Call it while nothing is written. */
  async checkpoint(): Promise<void> {
    await this.#checkpoints.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /**
   * After a failed sync it is unknown which frames are on disk, and a later sync may succeed without them. Copies all
   * of them from memory into the database, syncs that, and empties the log. Throws if that is not possible now.
   */
  async repair(): Promise<void> {
    await this.#checkpoints.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    if (fstatSync(this.#fd).size > 0)
      throw new Error('another process keeps the write-ahead log from being emptied');
  }

  close(): void {
    this.#checkpoints.close();
    closeSync(this.#fd);
  }
}

/** Makes the names of the files in it durable. */
function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncContent(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
