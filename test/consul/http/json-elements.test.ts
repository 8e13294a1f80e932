import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type JsonElement,
  JsonElements,
  type JsonElementsOptions,
  memberIn,
  OMITTED,
} from '../../../src/consul/http/json-elements.js';
import { jsonInBytes, MAX_DEPTH } from '../../../src/model/json-in.js';

type Settings = Partial<Omit<JsonElementsOptions, 'each'>>;

/** The elements of a text that arrives in pieces of some length. */
function split(text: string, settings: Settings = {}, pieceBytes = 7) {
  const found: unknown[] = [];
  const { form = 'array', maxBytes = 10_000, ...others } = settings;
  const each = (element: JsonElement) => {
    if (element.kind === 'partial') found.push(element);
    else if (form === 'array') found.push(jsonInBytes(element.text));
    else found.push(memberIn(element.text));
  };
  const elements = new JsonElements({ form, maxBytes, each, ...others });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) elements.feed(bytes.subarray(at, at + pieceBytes));
  return { found, isWhole: elements.finish() };
}

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('the elements of a JSON text', () => {
  it('are those of the parsed list, however it arrives', () => {
    const list = fc.array(fc.jsonValue(), { maxLength: 5 });
    fc.assert(
      fc.property(list, fc.integer({ min: 1, max: 40 }), fc.boolean(), (values, pieceBytes, isSpaced) => {
        const text = isSpaced ? ` ${JSON.stringify(values, null, 2)}\n` : JSON.stringify(values);
        expect(split(text, {}, pieceBytes)).toEqual({ found: JSON.parse(text), isWhole: true });
      }),
    );
  });

  it('are the members of the parsed object, however it arrives', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 });
    fc.assert(
      fc.property(object, fc.integer({ min: 1, max: 40 }), (value, pieceBytes) => {
        const { found, isWhole } = split(JSON.stringify(value), { form: 'object' }, pieceBytes);
        expect(isWhole).toBe(true);
        const members = (found as object[]).flatMap((each) => Object.entries(each));
        expect(members).toEqual(Object.entries(JSON.parse(JSON.stringify(value))));
      }),
    );
  });

  it('of an inner object come with the other members', () => {
    const text = '{"Node":{"Services":{"x":1}},"Services" : {"a":{"b":1},"c":2},"Z":null}';
    const settings = { form: 'object', within: 'Services' } as const;
    const found = [{ Node: { Services: { x: 1 } } }, { a: { b: 1 } }, { c: 2 }, { Z: null }];
    for (const pieceBytes of [1, 3, 100])
      expect(split(text, settings, pieceBytes)).toEqual({ found, isWhole: true });
    expect(split('{"Services":{}}', settings)).toEqual({ found: [], isWhole: true });
    expect(split('{"Services":{"a":1}"b"}', settings).isWhole).toBe(false);
  });

  it('that are too large have their small fields', () => {
    const large = {
      Name: 'orders',
      Sources: Array(9_000).fill('{"]'),
      ModifyIndex: 7,
      Meta: { a: 'b' },
      Z: 'z'.repeat(70_000),
    };
    const text = JSON.stringify([{ Name: 'a' }, large, { Name: 'b' }]);
    for (const pieceBytes of [1_000, 1_000_000]) {
      const { found, isWhole } = split(text, {}, pieceBytes);
      expect(isWhole).toBe(true);
      const { Z: _, ...fields } = large;
      expect(found).toEqual([
        { Name: 'a' },
        {
          kind: 'partial',
          key: undefined,
          fields: { ...fields, Z: OMITTED },
          size: JSON.stringify(large).length,
        },
        { Name: 'b' },
      ]);
    }
  });

  it('that are too large members have their names, and the small fields of an object', () => {
    const text = JSON.stringify({
      'a"b': { Tags: 'x'.repeat(70_000), Kind: '' },
      c: ['x'.repeat(20_000)],
      d: [],
    });
    const [first, second, third] = split(text, { form: 'object' }, 999).found;
    expect(first).toMatchObject({ key: 'a"b', fields: { Tags: OMITTED, Kind: '' } });
    expect(second).toMatchObject({ key: 'c', fields: {} });
    expect(third).toEqual({ d: [] });
  });

  it('that are nested too deep lose the deep field alone', () => {
    const text = `[{"Name":"a","Config":${nested(100_000)},"Index":1},{"Name":"b","Config":${nested(MAX_DEPTH - 2)}}]`;
    const { found, isWhole } = split(text, { maxBytes: 1_000_000 }, 5_000);
    expect(isWhole).toBe(true);
    expect(found[0]).toMatchObject({ kind: 'partial', fields: { Name: 'a', Config: OMITTED, Index: 1 } });
    expect(found[1]).toMatchObject({ Name: 'b' });
  });

  it('that are no objects are elements too', () => {
    expect(split('[1,null,"a,]",[{}],true]')).toEqual({ found: [1, null, 'a,]', [{}], true], isWhole: true });
  });

  it('keep no more than the limit, whatever arrives', () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const kept = () => {
      collect();
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      return arrayBuffers + heapUsed;
    };
    const elements = new JsonElements({ form: 'array', maxBytes: 1_000_000, each: () => {} });
    const part = Buffer.from(`${'{"Name":"web","Action":"allow"},'.repeat(2_000)}`);
    elements.feed(Buffer.from('[{"Name":"orders","Sources":['));
    const before = kept();
    for (let at = 0; at < 2_000; at += 1) elements.feed(part);
    expect(kept() - before).toBeLessThan(10_000_000);
  });

  it('cut off anywhere, or followed by anything, are not whole', () => {
    const whole = '[{"a":"]"},{"b":[1]}]';
    for (let length = 0; length < whole.length; length += 1)
      expect(split(whole.slice(0, length)).isWhole).toBe(false);
    for (const end of [',', 'x', ']', ',{}', '[]', '"']) expect(split(whole + end).isWhole).toBe(false);
    for (const text of ['[,]', '[1,]', '[,1]', '{}', '{"a":1}', '[1}', 'x[]', 'nul'])
      expect([text, split(text).isWhole]).toEqual([text, false]);
    expect(split('[]', { form: 'object' }).isWhole).toBe(false);
    expect(split(' null ').isWhole).toBe(null);
    expect(split('[]')).toEqual({ found: [], isWhole: true });
  });
});
