import { describe, expect, it } from 'vitest';
import type { Access, IntentionEntry, IntentionSource } from '../../src/model/intention.js';
import type { Mapping } from '../../src/model/rule.js';
import { createSelection } from '../../src/plan/selection.js';
import { readEdges } from '../../src/proposal/read-edges.js';
import { ALLOW, DENY, entry, mapping, named, source } from '../plan/scene.js';

const read = (entries: readonly IntentionEntry[], changes: Partial<Mapping> = {}) =>
  readEdges({ entries, mapping: mapping(changes) });
const ofOrders = (...sources: readonly IntentionSource[]) => [entry('orders', ...sources)];
const token = (provider: string): Access => ({
  kind: 'http',
  permissions: [
    { jwt: { provider, verifyClaims: [{ path: ['realm', 'role'], value: 'admin' }] } },
    { methods: ['GET'], jwt: { provider, verifyClaims: [{ path: ['realm', 'role'], value: 'admin' }] } },
    { methods: ['POST'], jwt: { provider: 'other', verifyClaims: [] } },
  ],
});

describe('an intention that no scope can explain', () => {
  it.each<readonly [string, IntentionSource, string, string]>([
    ['of another cluster', source('web', ALLOW, '', { peer: 'east' }), 'OtherCluster', 'another cluster'],
    ['that denies', source('web', DENY), 'Deny', 'no rule denies'],
    ['from every service', source('*', ALLOW), 'Wildcard', 'allows every service'],
    [
      'of another instance',
      source('web', ALLOW, 'scopemesh:other client=main/web'),
      'OtherInstance',
      'owner other',
    ],
    ['with conditions of others', source('web', { kind: 'other' }), 'UnknownContent', 'does not write'],
    [
      'that asks for a token',
      source('web', token('sso')),
      'UserToken',
      '(jwt-provider sso, realm/role = admin; jwt-provider other)',
    ],
    ['from another namespace', source('web', ALLOW, '', { namespace: 'team' }), 'OtherPlace', 'namespace'],
    ['from another partition', source('web', ALLOW, '', { partition: 'east' }), 'OtherPlace', 'partition'],
    ['from a name that claims nothing', source('-web', ALLOW), 'UnsuitableName', 'the source'],
  ])('%s has its reason', (_how, from, reason, detail) => {
    const { edges, unusable } = read(ofOrders(from));
    expect(edges).toEqual([]);
    const { name, namespace, partition } = from;
    expect(unusable).toEqual([
      {
        source: { name, namespace, partition },
        destination: named('orders'),
        reason,
        detail: expect.stringContaining(detail),
      },
    ]);
  });

  it.each([
    ['to every service', '*', {}, 'Wildcard', 'allows every service'],
    ['to a name that no rule names', 'orders.v1', {}, 'UnsuitableName', 'the destination'],
    [
      'to a protected service, in whatever case',
      'Orders',
      { protectedServices: ['orders'] },
      'ProtectedDestination',
      'guards.protected',
    ],
  ])('%s has its reason', (_how, destination, changes, reason, detail) => {
    const { edges, unusable } = read([entry(destination, source('web', ALLOW))], changes);
    expect(edges).toEqual([]);
    expect(unusable).toMatchObject([{ reason, detail: expect.stringContaining(detail) }]);
  });

  it('is each of two with one source, as it is not known which of them decides', () => {
    const { edges, unusable } = read(
      ofOrders(source('web', ALLOW), source('web', ALLOW), source('job', ALLOW)),
    );
    expect(edges.map((each) => each.source.name)).toEqual(['job']);
    expect(unusable.map(({ reason, detail }) => `${reason} ${detail}`)).toEqual(
      Array.from({ length: 2 }, () => 'UnknownContent the entry has this source twice'),
    );
  });
});

describe('an intention that a scope may explain', () => {
  it('is from one service to another, and shows what it allows in its shortest form', () => {
    const access: Access = { kind: 'http', permissions: [{ methods: ['POST', 'GET'], pathExact: '/a' }] };
    expect(read(ofOrders(source('web', access), source('job', ALLOW, 'scopemesh:pay'))).edges).toEqual([
      {
        source: named('web'),
        destination: named('orders'),
        access: { kind: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/a' }] },
      },
      { source: named('job'), destination: named('orders'), access: ALLOW },
    ]);
  });

  it('stands beside one of the same name in another cluster', () => {
    const { edges } = read(ofOrders(source('web', ALLOW), source('web', ALLOW, '', { peer: 'east' })));
    expect(edges).toHaveLength(1);
  });

  it.each([
    ['LegacyEntry', entry('orders', source('web', ALLOW, '', { isLegacy: true }))],
    [
      'ManagedElsewhere',
      { ...entry('orders', source('web', ALLOW)), meta: { 'external-source': 'kubernetes' } },
    ],
  ])('says %s where nobody may take it over as it is', (hold, from) => {
    expect(read([from]).edges.map((each) => each.hold)).toEqual([hold]);
  });

  it('is left out with everything else of a destination outside select', () => {
    const all = [
      entry('orders', source('web', ALLOW), source('*', ALLOW)),
      entry('reports', source('web', ALLOW)),
    ];
    const { edges, unusable } = read(all, { select: createSelection({ services: ['reports'] }) });
    expect(edges.map(({ destination }) => destination.name)).toEqual(['reports']);
    expect(unusable).toEqual([]);
  });
});
