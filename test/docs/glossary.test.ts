import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, references, rows, textOf } from './manual.js';

const PAGE = 'docs/glossary.md';
const ROWS = rows(textOf(PAGE)).map(([term = '', meaning = '', place = '']) => ({ term, meaning, place }));

describe('the glossary', () => {
  it('has one row for each term, with one sentence and one place', () => {
    expect(ROWS.length).toBeGreaterThan(100);
    expect(new Set(ROWS.map(({ term }) => term)).size).toBe(ROWS.length);
    for (const { term, meaning, place } of ROWS) {
      expect(meaning, term).toMatch(/^[A-Z`].*[^.]\.$/);
      expect(meaning, term).not.toContain('. ');
      expect(place, term).toMatch(/^\[([\w./-]+)\]\(\.\.\/\1\) `\w+`$/);
    }
  });

  it.each(references(PAGE))('finds $name in $file', ({ file, name }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    const declaration = `\\b(?:function|const|class|interface|type|async) ${name}\\b|\\b${name}(?:\\??:|\\()|'${name}'`;
    expect(textOf(file)).toMatch(new RegExp(declaration));
  });

  it('is linked from the README', () => {
    expect(textOf('README.md')).toContain('(docs/glossary.md)');
  });
});
