import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesIn, ROOT, references, rows, textOf } from './manual.js';

/** One for each topic. */
const TOPICS = filesIn('docs/glossary', '.md');
const ROWS = TOPICS.flatMap((page) => rows(textOf(page))).map(([term = '', meaning = '', place = '']) => ({
  term,
  meaning,
  place,
}));

describe('the glossary', () => {
  it('has one row for each term, with one sentence and one place', () => {
    expect(ROWS.length).toBeGreaterThan(200);
    expect(new Set(ROWS.map(({ term }) => term)).size).toBe(ROWS.length);
    for (const { term, meaning, place } of ROWS) {
      expect(meaning, term).toMatch(/^[A-Z`].*[^.]\.$/);
      expect(meaning, term).not.toMatch(/[.!?;] [A-Z`]/);
      expect(place, term).toMatch(/^\[([\w./-]+)\]\(\.\.\/\.\.\/\1\) `\w+`$/);
    }
  });

  it('has pages that one can read at once', () => {
    for (const page of TOPICS) expect(textOf(page).length, page).toBeLessThan(12_000);
  });

  it.each(TOPICS.flatMap(references).filter(({ name }) => name !== undefined))(
    'finds $name in $file',
    ({ file, name }) => {
      expect(existsSync(join(ROOT, file))).toBe(true);
      const declaration = `\\b(?:function|const|class|interface|type|async) ${name}\\b|\\b${name}(?:\\??:|\\()|'${name}'`;
      expect(textOf(file)).toMatch(new RegExp(declaration));
    },
  );

  it('lists every term by the alphabet', () => {
    const index = textOf('docs/glossary.md');
    for (const { term } of ROWS) expect(index.replaceAll(/\s+/g, ' ')).toContain(`[${term}](glossary/`);
  });

  it('is linked from the README', () => {
    expect(textOf('README.md')).toContain('(docs/glossary.md)');
  });
});
