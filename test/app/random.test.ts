import { expect, it } from 'vitest';
import { createRandom } from '../../src/app/random.js';

it('gives every step from 0 to less than 1, also beyond its first bytes', () => {
  const random = createRandom();
  const drawn = Array.from({ length: 20_000 }, random);
  expect(drawn.every((each) => each >= 0 && each < 1)).toBe(true);
  // That one of 256 steps is missing has a chance of one in 10^14 in each half.
  for (const half of [drawn.slice(0, 10_000), drawn.slice(10_000)]) expect(new Set(half).size).toBe(256);
});
