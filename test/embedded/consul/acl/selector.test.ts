import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectorString } from '../../../../src/acl/plan/escape.js';
import { compileSelector } from '../../../../src/embedded/consul/acl/selector.js';
import { anyCharacter } from '../../../support/any-character.js';

const identity = (text: string, list: readonly string[] = []) => ({
  value: new Map([['x', text]]),
  list: new Map([['y', list]]),
});
const anyText = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 30 }),
  fc.constantFrom(
    '"',
    '\\',
    '`',
    ' or "x" in value',
    '" or value is empty or value.x == "',
    '\u2028',
    '😀',
    '',
  ),
);

describe('a selector of the embedded Consul', () => {
  it('that compares with a quoted text admits that text alone, whatever is in it', () => {
    fc.assert(
      fc.property(anyText, anyText, (expected, given) => {
        const literal = selectorString(expected);
        const equals = compileSelector(`"x" in value and value.x == ${literal}`);
        const holds = compileSelector(`${literal} in list.y`);
        expect(equals?.(identity(expected))).toBe(true);
        expect(equals?.(identity(given))).toBe(given === expected);
        expect(holds?.(identity('', [given, expected]))).toBe(true);
        expect(holds?.(identity('', [given]))).toBe(given === expected);
      }),
    );
  });

  it('is compiled or refused, never thrown over', () => {
    const piece = fc.constantFrom(
      ...[
        'value',
        'list',
        '.x',
        '["x"]',
        '==',
        '!=',
        ' in ',
        ' not ',
        ' and ',
        ' or ',
        '(',
        ')',
        '"a"',
        '`a`',
        'a',
        '1',
      ],
      ...[' is empty', ' is not empty', ' matches ', ' contains ', '"(?=a)"', '"["', '"\\', ' '],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const condition = compileSelector(pieces.join(''));
        if (condition !== undefined) expect(typeof condition(identity('a', ['a']))).toBe('boolean');
      }),
    );
  });

  it('takes no pattern that RE2 refuses', () => {
    const refused = ['(?=a)', '(?!a)', '(?<=a)', '(?<!a)', '(a)\\1', '(?>a)', '('];
    for (const pattern of refused) {
      expect([pattern, compileSelector(`value.x matches ${selectorString(pattern)}`)]).toEqual([
        pattern,
        undefined,
      ]);
    }
    for (const pattern of [
      '^a$',
      '(?i)A',
      '(?:a|b)',
      '(?P<n>a)',
      '\\Aa\\z',
      '\\x61',
      'a{1,2}',
      '.',
      '(?i:A)',
      '[[:alpha:]]',
    ]) {
      expect(compileSelector(`value.x matches ${selectorString(pattern)}`)?.(identity('a'))).toBe(true);
    }
  });
});
