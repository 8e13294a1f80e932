import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { messageOf, SyncError } from '../../errors.js';
import { makeStateDirectory } from '../../make-directory.js';

/**
 * Makes this process the only daemon on the directory, which is created if it is missing. The lock is the
 * operating system's on a file that holds nothing, taken through SQLite: it dies with the process, however that
 * ends, and no stale file can lock anyone out. Readers of other files in the directory are not kept away.
 * Throws SyncError ERR_STATE_LOCKED at once if another process, or this one, holds it; ERR_QUEUE_UNREACHABLE if
 * the directory cannot be written; ERR_CONFIG as `makeStateDirectory`. Returns what releases the lock.
 */
export function lockDirectory(directory: string): () => void {
  let file: Database.Database | undefined;
  try {
    makeStateDirectory(directory);
    file = new Database(join(directory, 'daemon.lock'), { timeout: 0 });
    // Anyone who may open it could hold the lock and keep the daemon from starting.
    chmodSync(join(directory, 'daemon.lock'), 0o600);
    // A journal file would need space, and a daemon must start on a full disk.
    file.exec('PRAGMA journal_mode = MEMORY');
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    if (file?.open) file.close();
    throw refusal(directory, error);
  }
  const held = file;
  return () => {
    if (held.open) held.close();
  };
}

function refusal(directory: string, error: unknown): SyncError {
  if (error instanceof SyncError) return error;
  if (error instanceof Database.SqliteError && error.code === 'SQLITE_BUSY') {
    return new SyncError(
      'ERR_STATE_LOCKED',
      `the state directory ${directory} is in use by another scopemesh process; stop it, or set another state.directory.`,
      { retriable: false, cause: error },
    );
  }
  return new SyncError(
    'ERR_QUEUE_UNREACHABLE',
    `the state directory ${directory} cannot be written: ${messageOf(error)}`,
    { retriable: true, cause: error },
  );
}
