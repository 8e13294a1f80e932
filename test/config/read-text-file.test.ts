import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTextFile } from '../../config/read-text-file.js';

describe('A text file', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'scopemesh-config-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('is read whole', async () => {
    const path = join(directory, 'text');
    await writeFile(path, 'größe\n'.repeat(20_000));

    expect(await readTextFile(path)).toBe('größe\n'.repeat(20_000));
  });

  it('that never ends is read only to just above the limit', async () => {
    expect((await readTextFile('/dev/zero')).length).toBe(1024 * 1024 + 1);
  });

  it('that is not UTF-8 is refused', async () => {
    const path = join(directory, 'latin1');
    await writeFile(path, Buffer.from([0x67, 0xf6]));

    await expect(readTextFile(path)).rejects.toThrow(TypeError);
  });

  it('that is a pipe is read to its end, and is empty without a writer', async () => {
    const path = join(directory, 'pipe');
    await promisify(execFile)('mkfifo', [path]);

    expect(await readTextFile(path)).toBe('');
    const holder = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
    const writing = promisify(execFile)('bash', ['-c', 'seq 60000 >"$0"', path]);
    const read = readTextFile(path);
    // More than a pipe holds: the reader has begun.
    await writing;
    await holder.close();
    expect((await read).split('\n')).toHaveLength(60_001);
  });

  it('that is missing, or a directory, is refused with the code of the system', async () => {
    await expect(readTextFile(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readTextFile(directory)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
