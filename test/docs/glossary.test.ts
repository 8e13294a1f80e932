import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, textOf } from './manual.js';

const USERS = 'docs/glossary.md';
const CONTRIBUTORS = 'docs/terms.md';

/** The items of a page, each in one line. */
const itemsOf = (page: string) =>
  textOf(page)
    .replaceAll(/\n {2}/g, ' ')
    .split('\n')
    .filter((line) => line.startsWith('- '));

const words = itemsOf(USERS).map((line) => {
  const [, term = '', meaning = '', page = ''] = /^- \*\*(.+)\*\*: (.+) \[More\]\((.+)\)$/.exec(line) ?? [];
  return { line, term, meaning, page };
});
const terms = itemsOf(CONTRIBUTORS).map((line) => {
  const [, term = '', name = '', file = '', meaning = ''] =
    /^- \*\*(.+)\*\* \(\[`(\w+)`\]\(\.\.\/([\w./-]+)\)\): (.+)$/.exec(line) ?? [];
  return { line, term, name, file, meaning };
});

/** One sentence. */
function expectOneSentence(meaning: string, term: string) {
  expect(meaning, term).toMatch(/^[\w`].*[^.]\.$/);
  expect(meaning, term).not.toMatch(/[.!?;] [A-Z`]/);
}

describe('the glossary for users', () => {
  it('has a few words by the alphabet, each with one sentence and a page of the manual', () => {
    expect(words.length).toBeGreaterThanOrEqual(18);
    expect(words.length).toBeLessThanOrEqual(26);
    for (const { line, term, meaning, page } of words) {
      expect(term, line).not.toBe('');
      expectOneSentence(meaning, term);
      expect(page, term).toMatch(/^(?!terms\.md)[\w/-]+\.md/);
    }
    expect(words.map(({ term }) => term)).toEqual(words.map(({ term }) => term).toSorted());
  });

  it.each(words)('sends who asks for $term to a page that speaks of it', ({ term, page }) => {
    const stem = term.toLowerCase().replace(/ (comparison|removal)$/, '');
    const text = textOf(`docs/${page.replace(/#.*/, '')}`).toLowerCase();
    expect(text.replaceAll(/\s+/g, ' ').includes(stem)).toBe(true);
  });

  it('is linked from the README', () => {
    expect(textOf('README.md')).toContain('(docs/glossary.md)');
  });
});

describe('the terms of the code', () => {
  it('are many, each with one sentence, and none is explained twice', () => {
    expect(terms.length).toBeGreaterThan(80);
    for (const { line, term, meaning } of terms) {
      expect(term, line).not.toBe('');
      expectOneSentence(meaning, term);
    }
    const all = [...words, ...terms].map(({ term }) => term.toLowerCase());
    expect(all.filter((term, at) => all.indexOf(term) !== at)).toEqual([]);
  });

  it.each(terms)('finds $name in $file', ({ file, name }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    const declaration = `\\b(?:function|const|class|interface|type|async) ${name}\\b|\\b${name}(?:\\??:|\\()|'${name}'`;
    expect(textOf(file)).toMatch(new RegExp(declaration));
  });

  it('are linked from the page for contributors', () => {
    expect(textOf('CONTRIBUTING.md')).toContain('(docs/terms.md)');
  });
});
