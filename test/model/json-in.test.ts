import { expect, it } from 'vitest';
import { jsonIn } from '../../src/model/json-in.js';

it.each([
  ['{"a":[1]}', { a: [1] }],
  ['null', null],
  ['', undefined],
  ['{"a":', undefined],
])('the JSON in %j is %j', (text, value) => {
  expect(jsonIn(text)).toEqual(value);
});
