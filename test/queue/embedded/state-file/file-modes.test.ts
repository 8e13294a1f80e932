import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../../src/queue/embedded/directory-lock.js';
import { JOURNAL_FILE } from '../../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../../src/queue/embedded/state-file.js';
import { newDirectory } from '../../../support/use-directory.js';

let directory = '';

describe('the files of a state directory that everybody may enter', () => {
  it('can be opened by their owner alone', async () => {
    directory = newDirectory();
    chmodSync(directory, 0o755);
    const unlock = lockDirectory(directory);
    const file = new StateFile(directory, JOURNAL_FILE);
    await file.write(() => file.sql("INSERT INTO facts (name, value) VALUES ('a', 'b')").run());
    const modes = Object.fromEntries(
      readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o077]),
    );
    expect(Object.keys(modes)).toEqual(
      expect.arrayContaining(['daemon.lock', 'journal.db', 'journal.db-wal']),
    );
    expect(Object.values(modes).every((others) => others === 0)).toBe(true);
    await file.close();
    unlock();
  });
});
