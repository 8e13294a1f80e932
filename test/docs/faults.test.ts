import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codes, filesIn, ROOT, rows, section, textOf } from './manual.js';

const PAGE = 'docs/faults.md';
const SUITES = filesIn('test/faults', '.stack.test.ts');
const SOURCES = SUITES.map(textOf).join('\n');

describe('the page on faults', () => {
  it('names every suite of faults, and files that exist', () => {
    const named = textOf(PAGE).match(/test\/faults\/[\w.-]+\.ts/g) ?? [];
    expect(named).toEqual(expect.arrayContaining(SUITES));
    for (const file of named) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });

  it('names rows that exist', () => {
    const names = rows(section(PAGE, 'What was observed')).flatMap(([name = '']) => codes(name).slice(0, 1));
    expect(names.length).toBeGreaterThan(30);
    // The suites put some names together from two parts.
    const unknown = names.filter((name) => {
      const part = name.replace(/^(is killed when|refuses to write|has its clock set) /, '');
      return !part
        .split(/\d+|N|queue\.db|journal\.db/)
        .every((each) => SOURCES.includes(each.trim().split(' by ')[0] ?? ''));
    });
    expect(unknown).toEqual([]);
  });
});
