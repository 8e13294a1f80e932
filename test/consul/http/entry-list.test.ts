import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEntryLists } from '../../../src/consul/http/entry-list.js';
import { JsonElements } from '../../../src/consul/http/json-elements.js';
import { parseEntry } from '../../../src/consul/parse-entry.js';

/** Parses one whole answer after the other, each in pieces. */
function createEntryListParser(pieceBytes = 50) {
  const begin = createEntryLists();
  return (body: Uint8Array) => {
    const { done, ...list } = begin();
    const elements = new JsonElements({ form: 'array', maxBytes: 1_000, ...list });
    for (let at = 0; at < body.length; at += pieceBytes) elements.feed(body.subarray(at, at + pieceBytes));
    if (elements.finish() !== true) throw new Error('not valid JSON');
    return done().entries;
  };
}

const encode = (text: string) => new Uint8Array(Buffer.from(text));
const raw = (name: string, text = '', modifyIndex = 2) => ({
  Kind: 'service-intentions',
  Name: name,
  Sources: [{ Name: 'web', Action: 'allow', Description: text }],
  CreateIndex: 1,
  ModifyIndex: modifyIndex,
});
const list = (...entries: readonly object[]) => encode(JSON.stringify(entries));

describe('the list of entries', () => {
  it('keeps the object of an entry whose text stays, wherever others come, go and change', () => {
    const parse = createEntryListParser();
    const [a, , c] = parse(list(raw('a'), raw('b'), raw('c')));
    const [first, , , third] = parse(list(raw('a'), raw('aa'), raw('b', 'x'), raw('c')));
    expect(first).toBe(a);
    expect(third).toBe(c);
    const last = parse(list(raw('c')));
    expect(last[0]).toBe(c);
  });

  it('does not take an equal index for equal content, as after a restored snapshot', () => {
    const parse = createEntryListParser();
    parse(list(raw('a', 'old', 7)));
    expect(parse(list(raw('a', 'new', 7)))[0]?.sources[0]?.description).toBe('new');
  });

  const entries = fc.uniqueArray(
    fc
      .tuple(fc.string({ minLength: 1 }), fc.constantFrom('', '{', '"}', '\\', '\\"', ',]', '\u2028', '😀'))
      .map(([name, text]) => raw(name, text)),
    { selector: ({ Name }) => Name, maxLength: 6 },
  );

  it('is always what parsing the whole answer would give', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(entries, fc.boolean()), { maxLength: 5 }), (answers) => {
        const parse = createEntryListParser();
        for (const [each, isSpaced] of answers) {
          const text = isSpaced ? `${JSON.stringify(each, null, 1)}\n` : JSON.stringify(each);
          expect(parse(encode(text))).toEqual(each.map((entry) => parseEntry(entry, 'intentions.list')));
        }
      }),
    );
  });

  it('cut off anywhere, or followed by anything, is incomplete, whatever was read before', () => {
    const whole = JSON.stringify([raw('a', '{"'), raw('b')]);
    for (let length = 0; length < whole.length; length += 1) {
      const parse = createEntryListParser();
      parse(encode(whole));
      expect(() => parse(encode(whole.slice(0, length)))).toThrow(/not valid JSON/);
    }
    for (const end of [',', 'x', ']', ',{}', '[]']) {
      const parse = createEntryListParser();
      parse(encode(whole));
      expect(() => parse(encode(whole + end))).toThrow(/not valid JSON/);
    }
  });

  it('with bytes that are not UTF-8 is incomplete', () => {
    const body = list(raw('a', 'x'));
    body[body.indexOf('x'.charCodeAt(0))] = 0xff;
    expect(() => createEntryListParser()(body)).toThrow(/not valid JSON/);
  });
});
