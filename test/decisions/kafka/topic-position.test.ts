import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  formatPosition,
  fromMarks,
  markOf,
  NOWHERE,
  parsePosition,
  unseenOf,
} from '../../../src/decisions/kafka/topic-position.js';

const PLACE = { cluster: 'c', topic: 't' };
const partition = fc.nat(9);
const offset = fc.bigInt({ min: 0n, max: 2n ** 70n });
const offsets = fc.array(fc.tuple(partition, offset)).map((all) => new Map(all));
const marks = fc
  .array(fc.tuple(partition, fc.record({ offset, id: fc.string() })))
  .map((all) => new Map(all));

it('reads back each position at its own place, and at a place whose cluster is not told', () => {
  fc.assert(
    fc.property(fc.record({ offsets, marks }), (position) => {
      const text = formatPosition(PLACE, position);
      expect(parsePosition(text, PLACE)).toEqual(position);
      expect(parsePosition(text, { ...PLACE, cluster: '' })).toEqual(position);
      expect(parsePosition(formatPosition({ ...PLACE, cluster: '' }, position), PLACE)).toEqual(position);
      expect(parsePosition(text, { ...PLACE, cluster: 'other' })).toBeUndefined();
      expect(parsePosition(text, { ...PLACE, topic: 'other' })).toBeUndefined();
    }),
  );
});

it('reads what earlier versions stored, and nothing else', () => {
  expect(parsePosition('', PLACE)).toBe(NOWHERE);
  const before = { offsets: new Map([[12, 34n]]), marks: new Map() };
  expect(parsePosition('{"12":"34"}', PLACE)).toEqual(before);
  expect(parsePosition('{"cluster":"c","topic":"t","offsets":{"12":"34"}}', PLACE)).toEqual(before);
  for (const offsets of ['7', '01J00000000000000000000000', '{', '{"1":"x2"}', '{"1":"2x"}', '{"1x":"2"}'])
    expect(parsePosition(offsets, PLACE)).toBeUndefined();
  const mark = { offset: '1', id: 'a' };
  for (const marks of [{ a: mark }, { 1: { ...mark, more: '' } }, { 1: { offset: '-1', id: 'a' } }, []])
    expect(parsePosition(JSON.stringify({ ...PLACE, offsets: {}, marks }), PLACE)).toBeUndefined();
});

it('marks a message by its ID, and no message of another program', () => {
  const marked = (value: string) => markOf({ partition: 1, offset: 2n, value });
  const longest = 'a'.repeat(128);
  for (const id of ['a', longest]) expect(marked(JSON.stringify({ id }))).toEqual({ offset: 2n, id });
  for (const value of ['no JSON', '{}', '{"id":7}', JSON.stringify({ id: `${longest}a` })])
    expect(marked(value)).toBeUndefined();
});

it('looks for the marks that are before the start and were not deleted, each from its offset on', () => {
  fc.assert(
    fc.property(marks, offsets, offsets, (all, low, start) => {
      const unseen = unseenOf(all, low, start);
      for (const [at, mark] of all)
        expect(unseen.get(at)).toBe(
          mark.offset < (start.get(at) ?? 0n) && mark.offset >= (low.get(at) ?? 0n) ? mark : undefined,
        );
      const from = fromMarks(start, unseen);
      expect([...from.keys()]).toEqual([...start.keys()]);
      for (const [at, first] of start) expect(from.get(at)).toBe(unseen.get(at)?.offset ?? first);
    }),
  );
  const unseen = (low: bigint, start: bigint) =>
    unseenOf(new Map([[0, { offset: 5n, id: 'a' }]]), new Map([[0, low]]), new Map([[0, start]])).size;
  expect([unseen(5n, 6n), unseen(6n, 7n), unseen(0n, 5n)]).toEqual([1, 0, 0]);
});
