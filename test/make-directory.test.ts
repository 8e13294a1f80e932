import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStateDirectory } from '../src/demo/state-directory.js';
import { makeDirectory } from '../src/make-directory.js';
import { lockDirectory } from '../src/queue/embedded/directory-lock.js';

let above = '';
beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'scopemesh-make-'));
});
afterEach(() => rmSync(above, { recursive: true, force: true }));

describe('a directory to be made', () => {
  it('comes with every level above it that is missing, for its owner alone, and stays if it is there', () => {
    const directory = join(above, 'a', 'b', 'c');
    makeDirectory(directory);
    makeDirectory(directory);
    for (const made of [join(above, 'a'), directory]) expect(statSync(made).mode & 0o777).toBe(0o700);
  });

  it('is an error where a file or a link that leads nowhere is in its way', () => {
    writeFileSync(join(above, 'file'), '');
    symlinkSync(join(above, 'nowhere'), join(above, 'link'));
    for (const way of ['file', 'link']) {
      expect(() => makeDirectory(join(above, way))).toThrow('EEXIST');
      expect(() => makeDirectory(join(above, way, 'below'))).toThrow(/ENOTDIR|EEXIST/);
    }
  });

  // Node's own `recursive` tries forever there.
  it.runIf(existsSync('/proc/self'))(
    'is an error where the file system denies that its parent is there',
    async () => {
      expect(() => lockDirectory('/proc/nope/state')).toThrow(
        expect.objectContaining({
          code: 'ERR_QUEUE_UNREACHABLE',
          message: expect.stringContaining('the state directory /proc/nope/state cannot be written: ENOENT'),
        }),
      );
      await expect(openStateDirectory('/proc/nope')).rejects.toThrow(
        'the state directory /proc/nope cannot be created: ENOENT',
      );
    },
  );
});
