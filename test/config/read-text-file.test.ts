import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  it('that is missing, or a directory, is refused with the code of the system', async () => {
    await expect(readTextFile(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readTextFile(directory)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
