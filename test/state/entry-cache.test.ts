import { describe, expect, test } from 'vitest';
import type { IntentionEntry } from '../../src/model/intention.js';
import { EntryCache } from '../../src/state/entry-cache.js';
import { LastApplied } from '../../src/state/last-applied.js';
import { ALLOW, DENY, entry, keyOf, mapping, named, ourSource } from '../plan/scene.js';

const at = (modifyIndex: number, access: typeof ALLOW | typeof DENY = ALLOW): IntentionEntry => ({
  ...entry('orders', ourSource('web', access)),
  modifyIndex,
});

describe('what is known of the entries', () => {
  test('follows a restored snapshot back to lower indexes', () => {
    const cache = new EntryCache(mapping(), new LastApplied());
    cache.replaceAll([at(90)], 1);
    const { changed } = cache.replaceAll([at(12, DENY)], 2);
    expect(changed.map(({ modifyIndex }) => modifyIndex)).toEqual([12]);
    expect(cache.all.get(keyOf('orders'))?.modifyIndex).toBe(12);
    expect(cache.owned.count).toBe(0);
  });

  test('is not put back by a list that was read before our own write or delete', () => {
    const cache = new EntryCache(mapping(), new LastApplied());
    cache.replaceAll([at(10)], 1);
    cache.replace(named('orders'), at(20), 3);
    expect(cache.replaceAll([at(10)], 2)).toEqual({ changed: [], gone: [] });
    expect(cache.replaceAll([], 2)).toEqual({ changed: [], gone: [] });
    expect(cache.all.get(keyOf('orders'))?.modifyIndex).toBe(20);
    cache.replace(named('orders'), undefined, 5);
    expect(cache.replaceAll([at(20)], 4)).toEqual({ changed: [], gone: [] });
    expect(cache.all.size).toBe(0);
    expect(cache.replaceAll([at(30)], 6).changed).toHaveLength(1);
  });

  test('has the index of an own write from the next list, and counts its edges once', () => {
    const cache = new EntryCache(mapping(), new LastApplied());
    const id = { provider: 'main', clientId: 'web' };
    cache.replace(named('orders'), at(0), 1);
    expect(cache.replaceAll([at(20)], 2).changed).toEqual([]);
    expect(cache.all.get(keyOf('orders'))?.modifyIndex).toBe(20);
    expect(cache.owned.countOf(id)).toBe(1);
    expect(cache.replaceAll([at(21, DENY)], 3).changed).toHaveLength(1);
    expect(cache.owned.countOf(id)).toBe(0);
    cache.replace(named('orders'), at(0), 4);
    expect(cache.replaceAll([at(22, DENY)], 5).changed).toHaveLength(1);
    expect(cache.owned.countOf(id)).toBe(0);
  });

  test('counts the edges of a client as they come and go', () => {
    const cache = new EntryCache(mapping(), new LastApplied());
    const id = { provider: 'main', clientId: 'web' };
    cache.replaceAll([at(10), { ...entry('stock', ourSource('web', ALLOW)), modifyIndex: 11 }], 1);
    expect(cache.owned.countOf(id)).toBe(2);
    cache.replaceAll([at(12, DENY)], 2);
    expect(cache.owned.countOf(id)).toBe(0);
  });
});
