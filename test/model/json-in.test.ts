import { describe, expect, it } from 'vitest';
import { jsonIn, jsonInBytes, MAX_DEPTH } from '../../src/model/json-in.js';

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

describe('JSON that is nested more than anybody needs is not parsed', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const many = (item: string, count: number) => `[${Array.from({ length: count }, () => item).join()}]`;

  it.each([
    ['too deep', nested(MAX_DEPTH + 1), false],
    ['as deep as may be', nested(MAX_DEPTH), true],
    ['objects that are too deep', `${'{"a":'.repeat(MAX_DEPTH + 1)}1${'}'.repeat(MAX_DEPTH + 1)}`, false],
    ['many empty arrays', many('[]', 100_000), false],
    ['many empty objects', many('{}', 100_000), false],
    ['many small objects', many('{"id":"a"}', 100_000), true],
    ['few empty arrays', many('[]', 5_000), true],
    ['brackets in strings', many('"[[{{"', 100_000), true],
    ['a bracket after an escaped quote', JSON.stringify(['"['.repeat(MAX_DEPTH + 1), '\\', '\\"[']), true],
    ['brackets after a string that ends with a backslash', `["\\\\",${nested(MAX_DEPTH)}]`, false],
  ])('%s', (_, text, isParsed) => {
    expect(jsonInBytes(Buffer.from(text)) !== undefined).toBe(isParsed);
  });

  it('a string without an end is no JSON', () => {
    expect(jsonInBytes(Buffer.from('["a\\"'))).toBeUndefined();
  });

  it.each([
    ['of arrays in arrays', '['.repeat(8 * 2 ** 20)],
    ['of arrays in a row', `[${'[],'.repeat((16 * 2 ** 20) / 3)}1]`],
  ])('16 MB %s take no memory beside the document', (_, text) => {
    const bytes = Buffer.from(text);
    const before = process.memoryUsage().heapUsed;
    expect(jsonInBytes(bytes)).toBeUndefined();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 * 2 ** 20);
  });
});
