import { expect, it } from 'vitest';
import type { Mesh } from '../../../../src/console/answers.js';
import { bundleLook, bundlesOf, filtered, lookOf, toNet } from '../../../../src/console/page/mesh/net.js';

const MESH: Mesh = {
  asOf: { at: '2026-01-31T12:00:00.000Z', decision: null },
  complete: true,
  unknown: [],
  total: { services: 3, edges: 3 },
  groups: ['pay', 'shop'],
  services: { names: ['pay-api', 'pay-db', 'web'], groups: [0, 0, 1], callers: [1, 2, 0], calls: [1, 0, 2] },
  signs: [
    { state: 'open', access: 'all', methods: null, user: false },
    { state: 'held', access: 'none', methods: null, user: false },
    { state: 'foreign', access: 'deny', methods: null, user: false },
  ],
  grants: [[], ['db:read']],
  edges: { from: [0, 2, 2], to: [1, 0, 1], signs: [0, 1, 2], grants: [1, 0, 0] },
};
const NET = toNet(MESH);
const keysOf = ({ links }: Pick<typeof NET, 'links'>) => links.map(({ key }) => key);

it('reads the columns of an answer', () => {
  expect(keysOf(NET)).toEqual(['pay-api > pay-db', 'web > pay-api', 'web > pay-db']);
  expect(NET.links[0]).toMatchObject({
    from: { group: 'pay' },
    scopes: ['db:read'],
    sign: { access: 'all' },
  });
});

it('shows no less than was not filtered', () => {
  expect(filtered(NET, { find: '', hide: new Set() })).toBe(NET);
  expect(keysOf(filtered(NET, { find: 'WEB', hide: new Set() }))).toEqual(['web > pay-api', 'web > pay-db']);
  const shown = filtered(NET, { find: '', hide: new Set(['held', 'closed']) });
  expect(keysOf(shown)).toEqual(['pay-api > pay-db']);
  expect(shown.services.map(({ name }) => name)).toEqual(['pay-api', 'pay-db', 'web']);
});

it('counts the links between groups, and shows what asks for attention first', () => {
  const bundles = bundlesOf(NET.links, ({ group }) => group);
  expect(bundles.map(({ key, links }) => [key, links.length])).toEqual([
    ['shop > pay', 2],
    ['pay > pay', 1],
  ]);
  expect(NET.links.map(({ sign }) => lookOf(sign))).toEqual(['all', 'held', 'closed']);
  expect(bundleLook(NET.links)).toEqual({ look: 'held', label: '1 of 3' });
  expect(bundleLook(NET.links.slice(0, 1))).toEqual({ look: 'all', label: '1' });
});
