import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { namedTests, readSpecification, SPECIFICATIONS } from './named-tests.js';

// That each named test ran and passed is checked at the end of the run, by SpecReporter.
describe.each(SPECIFICATIONS)('the specification $path', (specification) => {
  const text = readSpecification(specification);

  test('numbers its sentences without a gap', () => {
    const numbers = [...text.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
    expect(numbers.length).toBeGreaterThan(25);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  test('names a test for each sentence', () => {
    for (const part of text.split(/^\d+\. /m).slice(1)) expect(part).toMatch(/^ +- [a-z./-]+\.test\.ts: /m);
  });

  test.each(namedTests(specification))('$file holds "$name"', ({ path, name }) => {
    const source = readFileSync(path, 'utf8');
    expect(source).toContain(`'${name}'`);
    expect(source).not.toMatch(/\b(?:test|it|describe)\.(?:skip|todo|only)/);
  });
});
