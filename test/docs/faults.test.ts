import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Fault } from '../faults/describe-faults.js';
import type { World } from '../faults/world.js';
import { codes, filesIn, ROOT, rows, textOf } from './manual.js';

const PAGES = ['docs/faults.md', ...filesIn('docs/faults', '.md')];
const SUITES = filesIn('test/faults', '.stack.test.ts');

/** The names of the rows of each suite, those too that play only with FAULTS=all. */
const played = vi.hoisted(() => [] as string[][]);
vi.mock('../faults/describe-faults.js', () => ({
  describeFaults: (_name: string, _start: unknown, faults: readonly Fault<World>[]) => {
    played.push(faults.map(({ name }) => name));
  },
}));

/** Rows that differ in a number of milliseconds alone are one row of the page. */
const onPage = (names: readonly string[]) => [
  ...new Set(names.map((name) => name.replace(/\d+ ms/, 'N ms'))),
];

/** The tables of rows that a suite plays, without their heads. */
const playedTables = (text: string) =>
  [...text.matchAll(/^\|.*\(`NAME`\) *\|.*\n((?:\|.*\n)+)/gm)].map(([table]) => table).join('\n');

describe('the pages on faults', () => {
  let documented: readonly string[];
  beforeAll(async () => {
    documented = rows(playedTables(PAGES.map(textOf).join('\n'))).flatMap(([name = '']) =>
      codes(name).slice(0, 1),
    );
    for (const suite of SUITES) await import(join(ROOT, suite));
  });

  it('name every suite of faults, and files that exist', () => {
    const named = PAGES.flatMap((page) => textOf(page).match(/test\/faults\/[\w.-]+\.ts/g) ?? []);
    expect(named).toEqual(expect.arrayContaining(SUITES));
    for (const file of named) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });

  it('have a row for each row of the suites, and no other', () => {
    expect(played.length).toBeGreaterThanOrEqual(SUITES.length);
    expect(documented.toSorted()).toEqual(played.flatMap(onPage).toSorted());
  });
});
