// Finishes a build in dist/: npm makes the command executable when it links it, and a new build is a new file. Writes the
// commit, so that two builds of one version can be told apart. SCOPEMESH_COMMIT names it where there is no Git, as in an image.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const git = (...args) => {
  const { status, stdout } = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
};

function commitOfTree() {
  // A package inside another repository has no commit of its own.
  if (git('rev-parse', '--show-prefix') !== '') return undefined;
  const commit = git('rev-parse', '--short=12', 'HEAD');
  const isChanged =
    git('status', '--porcelain', '--', 'src', 'workers', 'config', 'package-lock.json') !== '';
  return commit === undefined || !isChanged ? commit : `${commit}.changed`;
}

const commit = process.env.SCOPEMESH_COMMIT || commitOfTree();
chmodSync(join(root, 'dist/workers/main.js'), 0o755);
if (commit === undefined) rmSync(join(root, 'dist/commit'), { force: true });
else writeFileSync(join(root, 'dist/commit'), commit);
