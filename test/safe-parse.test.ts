import { expect, it } from 'vitest';
import { z } from 'zod';
import { safeParse } from '../src/safe-parse.js';

it.each([
  ['an array', z.array(z.string()).max(3)],
  ['a text', z.string().max(3)],
  ['one of both', z.union([z.string().max(3), z.array(z.string()).max(3)])],
])('refuses what has a length that no comparison takes, where %s is wanted', (_, schema) => {
  const value: unknown = JSON.parse('{"length":{"toString":null}}');
  expect(() => schema.safeParse(value)).toThrow(TypeError);
  expect(safeParse(schema, value).success).toBe(false);
  expect(safeParse(schema, 'abc').success).toBe(schema.safeParse('abc').success);
});
