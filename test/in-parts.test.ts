import { expect, it } from 'vitest';
import { inParts } from '../src/in-parts.js';

it('splits in order, and gives an item that is too large a part of its own', () => {
  const sizes = [2, 3, 1, 9, 4, 1];
  expect(inParts(sizes, 5, (size) => size)).toEqual([[2, 3], [1], [9], [4, 1]]);
});

it('makes no part of nothing', () => {
  expect(inParts([], 5)).toEqual([]);
});
