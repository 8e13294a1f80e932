import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  captureNames,
  compilePattern,
  createPatternCompiler,
  isPlainServiceName,
  substitute,
} from '../../src/plan/pattern.js';
import { cpuMsOf } from '../support/cpu-time.js';

describe('a pattern', () => {
  test.each([
    ['orders:read', 'orders:read', {}],
    ['orders:read', 'orders:reads', undefined],
    ['orders:read', 'Orders:read', undefined],
    ['orders:*', 'orders:', {}],
    ['orders:*', 'orders:a:b\nc', {}],
    ['*', '', {}],
    ['', '', {}],
    ['', 'x', undefined],
    ['*:admin', 'x:admin', {}],
    ['*:admin', 'x:admin\n', undefined],
    ['{service}:connect', 'web:connect', { service: 'web' }],
    ['{service}:connect', '-web:connect', undefined],
    ['{service}:connect', 'Web:connect', undefined],
    ['{service}:connect', ':connect', undefined],
    ['{service}:connect', '*:connect', undefined],
    ['{service}:connect', 'wеb:connect', undefined],
    ['{a}-{b}', 'x-y-z', { a: 'x-y', b: 'z' }],
    ['*-{b}', 'x-y-z', { b: 'z' }],
    ['{a}:{a}', 'x:x', { a: 'x' }],
    ['{a}:{a}', 'x:y', undefined],
    ['{a}:{a}1', 'x:\t', undefined],
    ['{a}:{a}1', 'x:x1', { a: 'x' }],
    ['a.c', 'abc', undefined],
    ['(a|b)+$', '(a|b)+$', {}],
    ['{A}', '{A}', {}],
    ['{a', '{a', {}],
  ])('%j reads %j as %j', (pattern, text, captures) => {
    expect(compilePattern(pattern).match(text)).toEqual(captures);
  });

  test('takes time linear in a hostile text with many wildcards', () => {
    const pattern = compilePattern('*a*a*{x}a*a*b');
    const ms = cpuMsOf(() => {
      expect(pattern.match('a'.repeat(100_000))).toBeUndefined();
      expect(pattern.match(`${'a'.repeat(100_000)}b`)).toEqual({ x: expect.stringMatching(/^a+$/) });
    });
    expect(ms).toBeLessThan(2_000);
  });

  test('matches every text like the equivalent regular expression', () => {
    const piece = fc.constantFrom('a', 'b', '-', ':', '*', '{x}', '{y}');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '-', ':'), maxLength: 9 }),
        (pieces, text) => {
          const names = pieces.filter((each) => each.startsWith('{'));
          fc.pre(new Set(names).size === names.length);
          const expression = pieces
            .map((each) =>
              each === '*' ? '[^]*' : each.startsWith('{') ? `(?<${each[1]}>[a-z0-9][a-z0-9-]*)` : each,
            )
            .join('');
          const found = new RegExp(`^${expression}$`).exec(text);
          expect(compilePattern(pieces.join('')).match(text)).toEqual(
            found === null ? undefined : { ...found.groups },
          );
        },
      ),
    );
  });

  test('is compiled once by a compiler that remembers', () => {
    const compile = createPatternCompiler();
    expect(compile('a*')).toBe(compile('a*'));
    expect(compile('a*')).not.toBe(compile('b*'));
  });
});

describe('a right-hand side', () => {
  test.each([
    ['{service}', { service: 'web' }, 'web'],
    ['{service}-api', { service: 'web' }, 'web-api'],
    ['{other}', { service: 'web' }, undefined],
    ['{constructor}', {}, undefined],
    ['*', {}, '*'],
    ['a{service}$', { service: 'web' }, 'aweb$'],
  ])('%j with %j gives %j', (text, captures, result) => {
    expect(substitute(text, captures)).toBe(result);
  });

  test('returns the captures that it uses', () => {
    expect(captureNames('{a}-*-{b}')).toEqual(['a', 'b']);
  });
});

test.each([
  ['web', true],
  ['0-x', true],
  ['*', false],
  ['', false],
  ['-web', false],
  ['Web', false],
  ['web\n', false],
  ['web/..', false],
  ['a'.repeat(128), true],
  ['a'.repeat(129), false],
])('%j as a plain service name is %j', (text, isPlain) => {
  expect(isPlainServiceName(text)).toBe(isPlain);
});
