import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const SPEC = readFileSync(new URL('../../../src/plan/acl/SPEC.md', import.meta.url), 'utf8');
const NAMED = [...SPEC.matchAll(/^ +- ([a-z.-]+\.test\.ts): (.+)$/gm)].map(([, file = '', name = '']) => ({
  file,
  name,
}));
const NUMBERS = [...SPEC.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));

describe('the specification of the plan of ACL objects', () => {
  test('counts its sentences without a gap', () => {
    expect(NUMBERS.length).toBeGreaterThan(25);
    expect(NUMBERS).toEqual(NUMBERS.map((_, index) => index + 1));
  });

  test('has a test for each sentence', () => {
    for (const part of SPEC.split(/^\d+\. /m).slice(1)) expect(part).toMatch(/^ +- [a-z.-]+\.test\.ts: /m);
  });

  test.each(NAMED)('$file holds "$name"', ({ file, name }) => {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8');
    expect(source.includes(`'${name}'`)).toBe(true);
    expect(source).not.toMatch(/\b(?:test|describe)\.(?:skip|todo|only)/);
  });
});
