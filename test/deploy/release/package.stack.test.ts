import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkPacked, checkTypes, pack } from '../../../deploy/release/package.js';
import { run } from '../../../deploy/release/run.js';
import { ROOT } from '../../docs/manual.js';
import { createRunDirectory, removeRunDirectory } from '../../stack/process.js';

let directory: string;
let packed: ReturnType<typeof pack>;
beforeAll(async () => {
  directory = await createRunDirectory('package');
  packed = pack(ROOT, directory);
});
afterAll(() => removeRunDirectory(directory));

it('the package is small, and says its exports right', async () => {
  for (const { name, ok, detail } of await checkPacked(ROOT, packed))
    expect([name, ok, detail]).toContain(true);
});

it('a program in TypeScript compiles with the types of both exports of the package', async () => {
  const own = join(directory, 'node_modules/scopemesh');
  await mkdir(own, { recursive: true });
  run('tar', ['-xzf', packed.file, '--strip-components=1', '-C', own]);
  await symlink(join(ROOT, 'node_modules/zod'), join(directory, 'node_modules/zod'));
  checkTypes(ROOT, directory);
});
