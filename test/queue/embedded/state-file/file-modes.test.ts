import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../../src/queue/embedded/directory-lock.js';
import { JOURNAL_FILE } from '../../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../../src/queue/embedded/state-file.js';

let directory = '';
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the files of a state directory that everybody may enter', () => {
  it('can be opened by their owner alone', async () => {
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-modes-'));
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
