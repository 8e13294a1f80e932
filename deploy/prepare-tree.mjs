// Makes a fresh clone ready for `npm start` and `npm test`: installs what is missing, builds what is stale.
// Plain JavaScript on Node's own modules, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const run = (command, args) => {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.status !== 0) {
    process.stderr.write(`prepare-tree: ${command} ${args.join(' ')} failed\n`);
    process.exit(result.status ?? 1);
  }
};

const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

const newest = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, modified(join(entry.parentPath, entry.name))), 0);

const installed = modified(join(root, 'node_modules/.package-lock.json'));
if (installed === 0 || installed < modified(join(root, 'package-lock.json'))) {
  process.stderr.write('scopemesh: installing packages (once) ...\n');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

if (process.argv.includes('--build')) {
  const built = modified(join(root, 'dist/workers/main.js'));
  const sources = Math.max(...['src', 'workers', 'config'].map((folder) => newest(join(root, folder))));
  const recipe = ['package.json', 'deploy/bundle.mjs', 'deploy/console.mjs'].map((file) =>
    modified(join(root, file)),
  );
  if (built < Math.max(sources, ...recipe)) {
    process.stderr.write('scopemesh: building ...\n');
    // Without the types, which only programs that import the package need.
    run(process.execPath, [join(root, 'deploy/bundle.mjs')]);
    run(process.execPath, [join(root, 'deploy/stamp-build.mjs')]);
  }
}
