import { expect, it } from 'vitest';
import { jsonIn, jsonInBytes } from '../../src/model/json-in.js';

it.each([
  ['{"a":[1]}', { a: [1] }],
  ['null', null],
  ['', undefined],
  ['{"a":', undefined],
])('the JSON in %j is %j', (text, value) => {
  expect(jsonIn(text)).toEqual(value);
  expect(jsonInBytes(Buffer.from(text))).toEqual(value);
});

it('bytes that are not UTF-8 are no JSON', () => {
  expect(jsonInBytes(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
});
