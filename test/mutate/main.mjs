// `npm run mutate -- src/plan/guards [test/plan ...]`: which folders or files to mutate, and whose tests must notice.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CORE = ['src/plan', 'src/acl', 'src/proposal', 'src/state', 'src/apply'];

const paths = process.argv.slice(2).filter((each) => !each.startsWith('-'));
const options = process.argv.slice(2).filter((each) => each.startsWith('-'));
const mutated = paths.filter((path) => !path.startsWith('test/'));
const sources = mutated.length > 0 ? mutated : CORE;
const missing = [...paths, ...sources].filter((path) => !existsSync(path));
if (missing.length > 0) {
  process.stderr.write(`mutate: ${missing.join(', ')} does not exist\n`);
  process.exit(1);
}

/** The tests of a stage, or of a file beside the stages. */
const testsOf = (source) => join('test', source.split('/')[1].replace(/\.ts$/, '.test.ts'));

const filesIn = (path, ending) =>
  statSync(path).isDirectory() ? `${path.replace(/\/$/, '')}/**/*${ending}` : path;
const named = paths.filter((path) => path.startsWith('test/'));
const tests = named.length > 0 ? named : [...new Set(sources.map(testsOf))];

const stryker = spawnSync(
  process.execPath,
  [
    'node_modules/@stryker-mutator/core/bin/stryker.js',
    'run',
    '--mutate',
    sources.map((path) => filesIn(path, '.ts')).join(','),
    '--testFiles',
    tests.map((path) => filesIn(path, '.test.ts')).join(','),
    ...options,
  ],
  {
    cwd: join(dirname(fileURLToPath(import.meta.url)), '../..'),
    // A property runs a tenth of all its runs (see few-runs.ts), not of a sample.
    env: { ...process.env, FAULTS: 'all' },
    stdio: 'inherit',
  },
);
process.exit(stryker.status ?? 1);
