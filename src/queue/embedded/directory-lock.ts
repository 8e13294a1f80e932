import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { messageOf, SyncError } from '../../errors.js';

export interface DirectoryLock {
  release(): void;
}

/**
 * Makes this process the only daemon on the directory, which is created if it is missing. The lock is the
 * operating system's on a file that holds nothing, taken through SQLite: it dies with the process, however that
 * ends, and no stale file can lock anyone out. Readers of other files in the directory are not kept away.
 * Throws SyncError ERR_STATE_LOCKED at once if another process, or this one, holds it.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = new Database(join(directory, 'daemon.lock'), { timeout: 0 });
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    throw new SyncError(
      'ERR_STATE_LOCKED',
      `The state directory ${directory} is in use by another scopemesh process, or cannot be locked ` +
        `(${messageOf(error)}); stop that process or set another state.directory.`,
      { retriable: false, cause: error },
    );
  }
  return {
    release() {
      if (file.open) file.close();
    },
  };
}
