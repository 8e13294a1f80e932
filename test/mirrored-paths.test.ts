import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const tests = dirname(fileURLToPath(import.meta.url));
const root = join(tests, '..');

/** Tests of more than one unit: a port on every adapter, a whole daemon, real servers, the manual, the tests themselves. */
const NO_MIRRORS = [
  'bench',
  'browser',
  'conformance',
  'deploy',
  'docs',
  'e2e',
  'faults',
  'fixtures',
  'mutate',
  'scenarios',
  'secrets',
  'stack',
  'support',
];
/** Tests of the whole repository, at the root. */
const OF_ALL = ['imports', 'lasting-signals', 'mirrored-paths', 'names', 'packaging'];

const files = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .sort();

/** `plan/claims` for `plan/claims.test.ts` and for `plan/claims.stack.test.ts`. */
const nameOf = (file: string) => file.replace(/(\.stack)?\.test\.ts$/, '');

const isUnit = (name: string) =>
  existsSync(join(root, /^(workers|config)\//.test(name) ? '' : 'src', `${name}.ts`));

function isInPlace(file: string): boolean {
  const name = nameOf(file);
  if (!file.includes('/')) return OF_ALL.includes(name) || isUnit(name);
  return NO_MIRRORS.includes(file.split('/')[0] ?? '') || isUnit(name) || isUnit(dirname(name));
}

describe('a test', () => {
  it('is looked at', () => {
    expect(files.length).toBeGreaterThan(500);
  });

  it('has the path of its unit, or is in a folder that has that path', () => {
    expect(files.filter((file) => !isInPlace(file))).toEqual([]);
  });
});
