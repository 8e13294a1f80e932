import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/model/canonical-json.js';

describe('canonical JSON', () => {
  // The examples of RFC 8785, sections 3.2.2 and 3.2.3.
  it('writes numbers, texts and literals as the RFC does', () => {
    const value = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('orders members by their UTF-16 names', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      ö: 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonicalJson(value))).length).toBe(7);
    const order = [...canonicalJson(value).matchAll(/:"([^"]+)"/g)].map(([, text]) => text);
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  it('orders few members and many alike', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-zA-Z0-9]{1,4}$/), { maxLength: 60 }), (names) => {
        const value = Object.fromEntries(names.map((name, index) => [name, index]));
        const members = names.toSorted().map((name) => `"${name}":${value[name]}`);
        expect(canonicalJson(value)).toBe(`{${members.join(',')}}`);
      }),
    );
  });

  it('replaces a lone surrogate, which no canonical form has', () => {
    expect(canonicalJson({ '\ud800': ['a\udc00', '\ud83d\ude00'] })).toBe(
      '{"\ufffd":["a\ufffd","\u{1f600}"]}',
    );
    // It is sorted as what is written.
    const replaced = canonicalJson({ '\ud800': 1, '\ufeff': 2 });
    expect(replaced).toBe('{"\ufeff":2,"\ufffd":1}');
    expect(canonicalJson(JSON.parse(replaced))).toBe(replaced);
  });

  it('takes a text that looks like an escaped surrogate as it is', () => {
    expect(canonicalJson({ a: '\\ud800' })).toBe(JSON.stringify({ a: '\\ud800' }));
  });
});
