import { describe, expect, test } from 'vitest';
import { unlinkedPolicies } from '../../src/acl/state/unlinked-policies.js';
import type { Catalog, Protocol } from '../../src/model/catalog.js';
import type { IntentionEntry, IntentionSource } from '../../src/model/intention.js';
import type { Mode } from '../../src/model/rule.js';
import { createSelection } from '../../src/plan/selection.js';
import { EntryCache } from '../../src/state/entry-cache.js';
import { LastAppliedCache } from '../../src/state/last-applied-cache.js';
import { hasSameProtocols, protocolIn } from '../../src/state/protocols.js';
import { ALLOW, DENY, entry, keyOf, mapping, named, ourSource } from '../plan/scene.js';

const at = (modifyIndex: number, access: typeof ALLOW | typeof DENY = ALLOW): IntentionEntry => ({
  ...entry('orders', ourSource('web', access)),
  modifyIndex,
});

describe('what is known of the entries', () => {
  test('follows a restored snapshot back to lower indexes', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
    cache.replaceAll([at(90)], 1);
    const { changed } = cache.replaceAll([at(12, DENY)], 2);
    expect(changed.map(({ modifyIndex }) => modifyIndex)).toEqual([12]);
    expect(cache.all.get(keyOf('orders'))?.modifyIndex).toBe(12);
    expect(cache.owned.count).toBe(0);
  });

  test('has the ends of break-glass grants in our marks, of each destination, until they are gone', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
    const until = (name: string, owner = 'pay') => ({
      ...ourSource(name, ALLOW),
      description: `scopemesh:${owner} until=2027-01-15T09:00:00.000Z`,
    });
    const ends = () => [...cache.ends.values()].map((each) => [each.destination.name, each.ends]);
    const two = { ...entry('orders', until('web'), until('api'), until('db', 'other')), modifyIndex: 10 };
    cache.replaceAll([two, { ...entry('billing', ourSource('web', ALLOW)), modifyIndex: 10 }], 1);
    const end = Date.parse('2027-01-15T09:00:00.000Z');
    expect(ends()).toEqual([['orders', [end, end]]]);
    cache.replace(named('billing'), { ...entry('billing', until('web')), modifyIndex: 11 }, 2);
    cache.replace(named('orders'), at(12), 3);
    expect(ends()).toEqual([['billing', [end]]]);
    cache.replaceAll([at(12)], 4);
    expect(ends()).toEqual([]);
  });

  test('is not put back by a list that was read before our own write or delete', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
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
    const cache = new EntryCache(mapping(), new LastAppliedCache());
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

  test('has the index of an own write from a read of it alone, which changes nothing else', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
    cache.replace(named('orders'), at(0), 1);
    expect(cache.replace(named('orders'), at(20), 2)).toBe(false);
    expect(cache.all.get(keyOf('orders'))?.modifyIndex).toBe(20);
    expect([cache.owned.count, cache.unshown]).toEqual([1, 0]);
    cache.replace(named('orders'), at(0), 3);
    expect(cache.replace(named('orders'), { ...at(21), meta: { 'external-source': 'kubernetes' } }, 4)).toBe(
      true,
    );
    cache.replace(named('orders'), at(0), 5);
    expect(cache.replace(named('orders'), at(22, DENY), 6)).toBe(true);
    expect(cache.owned.count).toBe(0);
  });

  test('knows how many own writes no read has shown', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
    const write = (name: string, read: number) =>
      cache.replace(named(name), { ...entry(name, ourSource('web', ALLOW)), modifyIndex: 0 }, read);
    for (const [read, name] of ['orders', 'stock', 'cart', 'orders'].entries()) write(name, read + 1);
    expect(cache.unshown).toBe(3);
    // Shown as it was written, as another wrote it since, and no longer there.
    cache.replaceAll([at(20), { ...entry('stock', ourSource('web', DENY)), modifyIndex: 21 }], 5);
    expect(cache.unshown).toBe(0);
    write('orders', 6);
    cache.replace(named('orders'), undefined, 7);
    expect(cache.unshown).toBe(0);
  });

  test('counts the edges of a client as they come and go', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
    const id = { provider: 'main', clientId: 'web' };
    cache.replaceAll([at(10), { ...entry('stock', ourSource('web', ALLOW)), modifyIndex: 11 }], 1);
    expect(cache.owned.countOf(id)).toBe(2);
    cache.replaceAll([at(12, DENY)], 2);
    expect(cache.owned.countOf(id)).toBe(0);
  });

  test('has every entry of a list, also outside the selection, whose intentions are not planned', () => {
    const select = createSelection({ services: ['orders'] });
    const cache = new EntryCache(mapping({ select }), new LastAppliedCache());
    expect([cache.isListed, [...cache.every()]]).toEqual([false, []]);
    const [far, wild] = [entry('stock', ourSource('web', ALLOW)), entry('*', ourSource('web', ALLOW))];
    const { changed } = cache.replaceAll([at(1), far, wild], 1);
    expect(changed.map(({ destination }) => destination.name)).toEqual(['orders', '*']);
    expect([cache.isListed, [...cache.every()].length, cache.all.has(keyOf('stock'))]).toEqual([
      true,
      3,
      false,
    ]);
    expect(cache.replace(named('stock'), far, 2)).toBe(false);
    cache.replaceAll([at(1), wild], 3);
    expect([...cache.every()].length).toBe(2);
    const places = new EntryCache(
      mapping({ select: createSelection({ namespaces: ['team'] }) }),
      new LastAppliedCache(),
    );
    expect(places.replaceAll([wild], 1).changed).toEqual([]);
  });

  test('changes by a single read only if its index differs, or is that of an own write', () => {
    const cache = new EntryCache(mapping(), new LastAppliedCache());
    cache.replaceAll([at(5)], 1);
    expect(cache.replace(named('orders'), at(5, DENY), 2)).toBe(false);
    expect(cache.replace(named('Orders'), { ...at(6), destination: named('Orders') }, 3)).toBe(true);
    expect([...cache.all.keys()]).toEqual([keyOf('orders')]);
    expect(cache.replace(named('orders'), at(0), 4)).toBe(true);
    expect(cache.replace(named('orders'), at(0, DENY), 5)).toBe(true);
    expect(cache.replace(named('orders'), at(7), 4)).toBe(false);
    expect([
      cache.replace(named('orders'), undefined, 6),
      cache.replace(named('orders'), undefined, 7),
    ]).toEqual([true, false]);
  });

  test('takes a list as the result of an own write only if every source is the same', () => {
    const peer = { ...ourSource('web', ALLOW), peer: 'east' };
    const of = (...sources: readonly IntentionSource[]) => {
      const cache = new EntryCache(mapping(), new LastAppliedCache());
      cache.replace(
        named('orders'),
        { ...at(0), sources: [ourSource('web', ALLOW), ourSource('job', DENY)] },
        1,
      );
      return cache.replaceAll([{ ...at(9), sources }], 2).changed.length;
    };
    expect(of(ourSource('job', DENY), ourSource('web', ALLOW))).toBe(0);
    expect(of(ourSource('web', ALLOW))).toBe(1);
    expect(of(ourSource('web', ALLOW), ourSource('job', ALLOW))).toBe(1);
    expect(of(ourSource('web', ALLOW), ourSource('job', DENY), peer)).toBe(1);
    expect(of(peer, ourSource('job', DENY))).toBe(1);
    expect(of(ourSource('web', { kind: 'other' }), ourSource('job', DENY))).toBe(1);
  });

  test('is counted again for another owner, and where its records change', () => {
    const id = { provider: 'main', clientId: 'web' };
    const records = new LastAppliedCache();
    const cache = new EntryCache(mapping(), records);
    cache.replaceAll([at(1)], 1);
    expect(cache.owned.countOf(id)).toBe(1);
    records.setUnrecorded(undefined);
    cache.recountAll();
    expect(cache.owned.count).toBe(0);
    records.put(
      'destination/default/default/orders',
      new Map([['intention/default/default/orders/web', '["allow",[]]']]),
    );
    expect([cache.recount(named('orders')), cache.recount(named('none'))]).toEqual([
      keyOf('orders'),
      keyOf('none'),
    ]);
    expect(cache.owned.count).toBe(1);
    cache.setMapping(mapping({ owner: 'other' }));
    expect(cache.owned.count).toBe(0);
    cache.setMapping(mapping());
    expect(cache.owned.count).toBe(1);
  });
});

describe('the protocol of a service', () => {
  const catalog = (
    defaultProtocol: Protocol,
    protocols: Readonly<Record<string, Protocol>> = {},
  ): Catalog => ({
    services: [],
    protocols: new Map(Object.entries(protocols)),
    defaultProtocol,
  });

  test('is its own, else the default, and tcp while nothing is known', () => {
    expect(protocolIn(catalog('http', { orders: 'grpc' }), named('orders'))).toBe('grpc');
    expect(protocolIn(catalog('http'), named('orders'))).toBe('http');
    expect(protocolIn(undefined, named('orders'))).toBe('tcp');
  });

  test('is the same in two catalogs only if the default and every one are', () => {
    const before = catalog('http', { orders: 'grpc' });
    expect(hasSameProtocols(before, catalog('http', { orders: 'grpc' }))).toBe(true);
    expect(hasSameProtocols(before, catalog('tcp', { orders: 'grpc' }))).toBe(false);
    expect(hasSameProtocols(before, catalog('http', { orders: 'tcp' }))).toBe(false);
    expect(hasSameProtocols(before, catalog('http', { other: 'grpc' }))).toBe(false);
    expect(hasSameProtocols(before, catalog('http'))).toBe(false);
    expect(hasSameProtocols(undefined, before)).toBe(false);
  });
});

describe('a policy that nothing links', () => {
  const policy = (name: string, description = 'scopemesh:pay') => ({
    id: name,
    isAltered: false,
    modifyIndex: 1,
    object: { name, description, rules: '{}' },
  });
  const cache = (policies: readonly ReturnType<typeof policy>[], linked: readonly string[] = []) => ({
    policies: new Map(policies.map((each) => [each.object.name.toLowerCase(), each])),
    owned: new Map([
      [
        'r',
        {
          role: {
            ...policy('r'),
            object: { name: 'r', description: '', policies: linked, serviceIdentities: [] },
          },
          bindingRules: [],
        },
      ],
      ['m', { bindingRules: [] }],
    ]),
  });
  const planned = (
    of: ReturnType<typeof cache>,
    desired: readonly string[] = [],
    { owner = 'pay', mode = 'enforce' as Mode } = {},
  ) =>
    unlinkedPolicies(
      [
        {
          desired: {
            policies: desired.map((name) => policy(name).object),
            roles: [],
            authMethods: [],
            bindingRules: [],
          },
        },
      ],
      { cache: of },
      { owner, mode },
    );
  const removed = (...args: Parameters<typeof planned>) => planned(...args).changes;
  const A = 'scopemesh-pay-_rules-a';
  const B = 'scopemesh-pay-_rules-b';

  test('is removed if this owner has it, in order, and takes nothing from anybody', () => {
    expect(
      removed(cache([policy(B), policy(A), policy('other'), policy('scopemesh-pay-c', '')])),
    ).toMatchObject(
      [A, B].map((name) => ({
        verb: 'deleted',
        reason: 'MappingChanged',
        isInferred: false,
        narrows: false,
        action: 'change',
        scopes: [],
        step: { do: 'delete', kind: 'acl-policy', id: name },
      })),
    );
    expect(removed(cache([policy(A)]), [], { owner: 'other' })).toEqual([]);
  });

  test('is held where the mode narrows nothing, and planned in mode observe', () => {
    const inMode = (mode: Mode) => planned(cache([policy(A)]), [], { mode });
    expect(inMode('extend')).toMatchObject({
      changes: [],
      holds: [{ subject: `acl-policy/${A}`, reason: 'ModeForbids', action: 'change' }],
    });
    expect(inMode('observe')).toMatchObject({ changes: [{ subject: `acl-policy/${A}` }], holds: [] });
  });

  test('stays while a role links it or a plan will, in any case of its name', () => {
    expect(removed(cache([policy(A), policy(B)], [A.toUpperCase()]), [B.toUpperCase()])).toEqual([]);
  });
});
