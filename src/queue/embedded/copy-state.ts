import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { configError, messageOf } from '../../errors.js';
import { makeStateDirectory } from '../../make-directory.js';

/**
 * In this order: `journal.db` has the cursors of polls, which must not be past events that the copy of `queue.db` lacks, and
 * a decision that is only in `decisions.db` is published again with its ID.
 */
const DATABASES = ['journal.db', 'queue.db', 'decisions.db'] as const;
/** Without the first, decisions are signed with another key; without the second, replicas on one Redis refuse the log. */
const FILES = ['trail-key.pem', 'trail-key.pub', 'log-id'] as const;

/**
 * Copies what a restore needs from a state directory into another, which must be empty: each database as of one instant, also
 * while a daemon writes it. Resolves with the names. Throws SyncError ERR_CONFIG, and leaves nothing then.
 */
export function copyState(directory: string, to: string): readonly string[] {
  const refuse = (why: string, cause?: unknown) => configError(`no backup was made: ${why}`, cause);
  if (!DATABASES.some((name) => existsSync(join(directory, name))))
    throw refuse(`there is no state in ${directory} (state.directory); run this where the daemon runs`);
  makeStateDirectory(directory);
  makeStateDirectory(to);
  if (readdirSync(to).length > 0)
    throw refuse(`${to} is not empty; name a directory that does not exist yet`);
  const made: string[] = [];
  try {
    for (const name of [...DATABASES, ...FILES]) {
      const [source, target] = [join(directory, name), join(to, name)];
      if (!existsSync(source)) continue;
      // SQLite would make a file that others can read. It writes into an empty one.
      const file = openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      made.push(name);
      try {
        if (name.endsWith('.db')) copyDatabase(source, target);
        else copyFileSync(source, target);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    }
    return made;
  } catch (error) {
    for (const name of made) rmSync(join(to, name), { force: true });
    throw refuse(messageOf(error), error);
  }
}

function copyDatabase(source: string, target: string): void {
  const database = new Database(source, { readonly: true, timeout: 5_000 });
  try {
    database.prepare('VACUUM INTO ?').run(target);
  } finally {
    database.close();
  }
}
