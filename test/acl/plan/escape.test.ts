import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rulesString, selectorString } from '../../../src/acl/plan/escape.js';
import { hostileText } from './acl-scene.js';
import { admits } from './selector-model.js';

describe('a string of a selector', () => {
  test.each([
    ['web', '"web"'],
    ['a"b', '"a\\x22b"'],
    ['a\\b', '"a\\x5cb"'],
    ['a\nb\u007f', '"a\\x0ab\\x7f"'],
    ['é', '"\\u00e9"'],
    ['\u2028', '"\\u2028"'],
    ['😀', '"\\U0001f600"'],
    ['`${', '"`${"'],
  ])('%j is written as printable ASCII', (text, quoted) => {
    expect(selectorString(text)).toBe(quoted);
  });

  test('compares equal to exactly the text that it was made of', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (text, other) => {
        const quoted = selectorString(text);
        fc.pre(quoted !== undefined);
        expect(quoted).toMatch(/^"[\x20-\x7e]*"$/);
        const selector = `value.a == ${quoted}`;
        expect(admits(selector, { value: { a: text }, list: {} })).toBe(true);
        expect(admits(selector, { value: { a: other }, list: {} })).toBe(other === text);
      }),
    );
  });

  test.each(['\ud800', 'a\udc00', '\udfff\ud800'])('%j, an unpaired surrogate, cannot be written', (text) => {
    expect(selectorString(text)).toBeUndefined();
    expect(rulesString(text)).toBeUndefined();
  });
});

describe('a string of rules', () => {
  test('is JSON for its text and escapes no unpaired surrogate', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const quoted = rulesString(text);
        fc.pre(quoted !== undefined);
        expect(JSON.parse(quoted)).toBe(text);
        expect(quoted).not.toMatch(/\\ud[89a-f]/i);
        expect(quoted).not.toContain('\u007f');
      }),
    );
  });
});
