import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** A built package in a folder of its own, stamped; `prepare` may make a repository of it. */
function stamped(prepare: (folder: string) => void = () => {}, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'scopemesh-build-'));
  for (const each of ['dist/workers', 'deploy', 'src']) mkdirSync(join(folder, each), { recursive: true });
  writeFileSync(join(folder, 'dist/workers/main.js'), '');
  writeFileSync(join(folder, 'src/index.ts'), '');
  cpSync('deploy/stamp-build.mjs', join(folder, 'deploy/stamp-build.mjs'));
  prepare(folder);
  const { status } = spawnSync(process.execPath, [join(folder, 'deploy/stamp-build.mjs')], {
    env: { PATH: process.env.PATH, GIT_CEILING_DIRECTORIES: tmpdir(), ...env },
  });
  expect(status).toBe(0);
  expect(statSync(join(folder, 'dist/workers/main.js')).mode & 0o111).toBe(0o111);
  const file = join(folder, 'dist/commit');
  return { folder, commit: existsSync(file) ? readFileSync(file, 'utf8') : undefined };
}

const git = (folder: string, ...args: readonly string[]) =>
  spawnSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
    encoding: 'utf8',
  }).stdout.trim();
const commitAll = (folder: string) => {
  git(folder, 'init', '-q');
  writeFileSync(join(folder, '.gitignore'), 'dist/\n');
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'first');
};

it('a build names the commit of its tree', () => {
  const { folder, commit } = stamped(commitAll);
  expect(commit).toBe(git(folder, 'rev-parse', '--short=12', 'HEAD'));
});

it('a build of changed sources says so', () => {
  const { commit } = stamped((folder) => {
    commitAll(folder);
    writeFileSync(join(folder, 'src/index.ts'), 'changed');
  });
  expect(commit).toMatch(/^[0-9a-f]{12}\.changed$/);
});

it('a build without Git names the commit that it is given, or none', () => {
  expect(stamped(undefined, { SCOPEMESH_COMMIT: '0123456789ab' }).commit).toBe('0123456789ab');
  expect(stamped().commit).toBeUndefined();
});

it('a package inside another repository does not take the commit of that repository', () => {
  const outer = mkdtempSync(join(tmpdir(), 'scopemesh-outer-'));
  const { folder } = stamped();
  cpSync(folder, join(outer, 'scopemesh'), { recursive: true });
  commitAll(outer);
  spawnSync(process.execPath, [join(outer, 'scopemesh/deploy/stamp-build.mjs')]);
  expect(existsSync(join(outer, 'scopemesh/dist/commit'))).toBe(false);
});
