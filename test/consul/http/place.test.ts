import { describe, expect, it } from 'vitest';
import { isAddressable } from '../../../src/consul/http/place.js';

describe('a name', () => {
  it.each(['web', 'a b', 'a/b', '...', 'ünï', '*'])('%j can be asked for', (name) => {
    expect(isAddressable(name)).toBe(true);
  });

  it.each(['', '.', '..', 'a\tb', 'a\u00a0b', '\u0085', '\ufeff', '\udc00'])(
    '%j cannot be asked for',
    (name) => {
      expect(isAddressable(name)).toBe(false);
    },
  );
});
