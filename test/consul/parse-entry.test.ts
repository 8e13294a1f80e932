import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEntry } from '../../src/consul/parse-entry.js';
import { IncompleteRead } from '../../src/errors.js';

const raw = (sources: readonly object[], more: object = {}) => ({
  Kind: 'service-intentions',
  Name: 'orders',
  Sources: sources,
  CreateIndex: 1,
  ModifyIndex: 2,
  ...more,
});
const parse = (value: unknown) => parseEntry(value, 'intentions.read');

describe('an entry', () => {
  it('keeps the very source elements that it was parsed from', () => {
    const source = { Name: 'web', Action: 'allow', Unknown: { deep: [1] } };
    const value = raw([source], { Unknown: true });
    const entry = parse(value);
    expect(entry.raw).toBe(value);
    expect(entry.sources[0]?.raw).toBe(source);
  });

  it.each([
    ['LegacyID', { LegacyID: '0dc01278' }],
    ['LegacyMeta', { LegacyMeta: { a: 'b' } }],
    ['LegacyCreateTime', { LegacyCreateTime: '2026-11-25T00:43:11.2Z' }],
  ])('with %s was made by the old API', (_, fields) => {
    expect(parse(raw([{ Name: 'web', Action: 'allow', ...fields }])).sources[0]?.isLegacy).toBe(true);
  });

  it('with a zero time was not made by the old API', () => {
    const fields = { LegacyID: '', LegacyMeta: null, LegacyCreateTime: '0001-01-01T00:00:00Z' };
    expect(parse(raw([{ Name: 'web', Action: 'allow', ...fields }])).sources[0]?.isLegacy).toBe(false);
  });

  it('tells sources of another cluster, and of a sameness group, apart', () => {
    const { sources } = parse(
      raw([
        { Name: 'web', Peer: 'east', Action: 'allow' },
        { Name: 'web', SamenessGroup: 'all', Action: 'allow' },
        { Name: 'web', Namespace: 'team', Partition: 'p', Action: 'allow' },
      ]),
    );
    expect(sources.map(({ peer, namespace, partition }) => [peer, namespace, partition])).toEqual([
      ['east', 'default', 'default'],
      ['all', 'default', 'default'],
      [undefined, 'team', 'p'],
    ]);
  });

  it('of any other shape throws ERR_CONSUL_INCOMPLETE and nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => parse(value)).toThrow(IncompleteRead);
      }),
    );
    for (const wrong of [
      raw([], { Kind: 'service-defaults' }),
      raw([], { Name: '' }),
      raw([], { Meta: { a: 1 } }),
      raw([], { ModifyIndex: '7' }),
      raw([], { ModifyIndex: -1 }),
      raw([], { Sources: {} }),
      raw([], { Sources: [null] }),
      raw([{ Action: 'allow' }]),
      raw([{ Name: 'web', Description: 7 }]),
      raw([{ Name: 'web', Future: 2 ** 60 }]),
      raw([{ Name: 'web', Future: 0.5 }]),
    ]) {
      expect(() => parse(wrong), JSON.stringify(wrong)).toThrow(IncompleteRead);
    }
  });
});
