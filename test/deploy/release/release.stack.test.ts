import { appendFile, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../../deploy/release/run.js';
import { blocks, ROOT, textOf } from '../../docs/manual.js';
import { createRunDirectory, removeRunDirectory } from '../../stack/process.js';
import { isSoak } from '../../support/soak.js';

let directory: string;
beforeAll(async () => {
  directory = await createRunDirectory('release');
});
afterAll(() => removeRunDirectory(directory));

// It builds, packs and installs: 40 s. The parts have tests of their own.
it.runIf(isSoak)('a release makes and checks everything but the image from one commit', async () => {
  const clone = join(directory, 'clone');
  run('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone]);
  await appendFile(join(clone, '.git/info/exclude'), 'node_modules\n');
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  const out = join(directory, 'scopemesh-1.0.0');
  const [line = ''] = blocks(textOf('docs/how-to/make-a-release.md'), 'bash');
  const said = run('sh', ['-c', `${line.trim().replace('npm run', 'npm run --silent')} --without image`], {
    cwd: clone,
  });
  expect(said).not.toContain('FAILED');
  expect(said).toMatch(/a person runs:\n {2}npm publish /);
  const { version } = JSON.parse(await readFile(join(clone, 'package.json'), 'utf8'));
  expect((await readdir(out)).map((name) => name.replace(`-${version}`, '')).toSorted()).toEqual([
    'SHA256SUMS',
    'report.txt',
    'scopemesh-chart.tgz',
    'scopemesh-manual.tgz',
    'scopemesh-notes.md',
    'scopemesh-sbom.json',
    'scopemesh-site.tgz',
    'scopemesh.tgz',
  ]);
  expect(run('sha256sum', ['--check', 'SHA256SUMS'], { cwd: out })).not.toContain('FAILED');
  expect(await readFile(join(out, 'report.txt'), 'utf8')).toBe(said);
});
