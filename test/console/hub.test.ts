import { expect, it } from 'vitest';
import { isHub } from '../../src/console/hub.js';

it('a hub is what nearly everything in a large mesh calls', () => {
  expect(isHub(31, 100)).toBe(true);
  expect(isHub(30, 100)).toBe(false);
  expect(isHub(31, 19)).toBe(false);
});
