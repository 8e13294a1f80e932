import {
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writePrivateFiles } from '../../src/cli/private-files.js';
import { useDirectory } from '../support/use-directory.js';

const above = useDirectory();

const files = new Map([['index.html', 'the report']]);

describe('files of --out', () => {
  it.each([true, false])(
    'are for their owner alone, and follow no link in the directory: overwrite %s',
    async (overwrite) => {
      const out = join(above(), 'out');
      await writePrivateFiles(out, files, { overwrite });
      expect(statSync(join(out, 'index.html')).mode & 0o777).toBe(0o600);
      rmSync(join(out, 'index.html'));

      writeFileSync(join(above(), 'victim'), 'not to be touched', { mode: 0o644 });
      symlinkSync(join(above(), 'victim'), join(out, 'index.html'));
      const written = writePrivateFiles(out, files, { overwrite });
      if (overwrite) await written;
      else
        await expect(written).rejects.toMatchObject({
          code: 'ERR_CONFIG',
          message: expect.stringContaining('EEXIST'),
        });
      expect(readFileSync(join(above(), 'victim'), 'utf8')).toBe('not to be touched');
      expect(statSync(join(above(), 'victim')).mode & 0o777).toBe(0o644);
      expect(readFileSync(join(out, 'index.html'), 'utf8')).toBe(
        overwrite ? 'the report' : 'not to be touched',
      );
    },
  );

  // Only root can give a link away.
  it.runIf(process.getuid?.() === 0)('follow no link to the directory that somebody else made', async () => {
    mkdirSync(join(above(), 'elsewhere'));
    symlinkSync(join(above(), 'elsewhere'), join(above(), 'out'));
    await writePrivateFiles(join(above(), 'out'), files, { overwrite: true });
    lchownSync(join(above(), 'out'), 54_321, 54_321);
    rmSync(join(above(), 'elsewhere', 'index.html'));
    for (const path of ['out', 'out/'])
      await expect(writePrivateFiles(join(above(), path), files, { overwrite: true })).rejects.toThrow(
        'it is a link of another user',
      );
    expect(readdirSync(join(above(), 'elsewhere'))).toEqual([]);
  });
});
