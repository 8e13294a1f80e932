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
  const recipes = readdirSync(join(root, 'deploy')).filter((name) => name.endsWith('.mjs'));
  const sources = Math.max(
    ...['src', 'workers', 'config'].map((folder) => newest(join(root, folder))),
    ...['package.json', ...recipes.map((name) => `deploy/${name}`)].map((file) => modified(join(root, file))),
  );
  const isStale = (file) => modified(join(root, file)) < sources;
  if (isStale('dist/workers/main.js')) {
    process.stderr.write('scopemesh: building ...\n');
    run(process.execPath, [join(root, 'deploy/bundle.mjs')]);
    run(process.execPath, [join(root, 'deploy/stamp-build.mjs')]);
  }
  // The types, which only programs that import the package need.
  if (process.argv.includes('--types') && isStale('dist/src/index.d.ts'))
    run(process.execPath, [join(root, 'deploy/bundle-types.mjs')]);
}
