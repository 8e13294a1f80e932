import { describe, expect, test } from 'vitest';
import type { Access, HttpPermission } from '../../../src/model/intention.js';
import { toPlainPathRegex } from '../../../src/model/plain-path.js';
import { covers, digest } from '../../../src/plan/access.js';
import type { Change } from '../../../src/plan/plan.js';
import {
  claiming,
  client,
  entriesOf,
  entry,
  mapping,
  ourSource,
  planOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
} from '../scene.js';

const http = (...permissions: readonly HttpPermission[]): Access => ({ kind: 'http', permissions });
const below = (text: string) => ({ pathRegex: String(toPlainPathRegex({ kind: 'path', text })) });
const from = (text: string) => ({ pathRegex: String(toPlainPathRegex({ kind: 'prefix', text })) });

describe('a plain path', () => {
  test.each<[string, Access, Access, boolean]>([
    ['covers itself alone', http(below('/v1')), http({ pathExact: '/v1' }), true],
    ['covers a plain path under it', http(below('/v1')), http(below('/v1/a')), true],
    ['covers no longer name', http(below('/v1')), http(below('/v1a')), false],
    ['covers no exact path that is not plain', http(below('/v1')), http({ pathExact: '/v1/../a' }), false],
    ['covers no raw prefix', http(below('/v1')), http({ pathPrefix: '/v1/' }), false],
    [
      'is covered by a raw path',
      http({ pathExact: '/v1' }, { pathPrefix: '/v1/' }),
      http(below('/v1')),
      true,
    ],
    ['is not covered by a raw prefix alone', http({ pathPrefix: '/v1/' }), http(below('/v1')), false],
    [
      'and below is the path and a prefix',
      http({ pathExact: '/v1' }, from('/v1/')),
      http(below('/v1')),
      true,
    ],
    ['covers a plain prefix under it', http(below('/v1')), http(from('/v1/a')), true],
    ['by prefix covers a longer one', http(from('/v1/a')), http(from('/v1/ab/')), true],
    ['by prefix covers no shorter one', http(from('/v1/ab')), http(from('/v1/a')), false],
  ])('%s', (_, outer, inner, expected) => expect(covers(outer, inner)).toBe(expected));
});

const READ = { methods: ['GET'], path: '/v1/orders' };
const RAW = http(
  { methods: ['GET'], pathExact: '/v1/orders' },
  { methods: ['GET'], pathPrefix: '/v1/orders/' },
);
const PLAIN = http({ methods: ['GET'], ...below('/v1/orders') });
const rules = [rule('orders:read', 'orders', READ)];
const world = (changes: Partial<Scene> = {}): Scene =>
  scene({
    mapping: mapping({ rules }),
    clients: [client('web', ['orders:read'])],
    services: [claiming('web', 'web')],
    entries: entriesOf(entry('orders', ourSource('web', RAW))),
    ...changes,
  });
/** What an older version recorded of its write. */
const written = new Map([
  ['intention/default/default/orders/web', JSON.stringify([digest(RAW), ['orders:read']])],
]);

describe('an entry in the form of older versions', () => {
  const rewrite = {
    reason: 'PathNormalised',
    action: 'revoke',
    verb: 'updated',
    narrows: true,
    widens: false,
    isInferred: false,
    after: PLAIN,
    scopes: ['orders:read'],
  } satisfies Partial<Change>;

  test.each([
    ['with the record of its write', written],
    ['without a record, as after the loss of the state directory', new Map<string, string>()],
  ])('is rewritten once, and is no inferred loss, %s', (_, record) => {
    const before = world({ written: record });
    const plan = planOf(before);
    expect(plan).toMatchObject({ changes: [rewrite], holds: [] });
    expect(planOf(sceneAfter(before, [plan]))).toMatchObject({ changes: [], holds: [] });
  });

  test('loses a scope for the reason of the loss', () => {
    const lost = world({ written, clients: [client('web', [])] });
    expect(planOf(lost).changes).toMatchObject([{ reason: 'ScopeRevoked', isInferred: true }]);
  });

  test('that somebody writes again after the rewrite is drift', () => {
    const done = sceneAfter(world({ written }), [planOf(world({ written }))]);
    const reverted = { ...done, entries: entriesOf(entry('orders', ourSource('web', RAW))) };
    expect(planOf(reverted).changes).toMatchObject([{ ...rewrite, reason: 'DriftCorrected' }]);
  });

  test('stays as it is where the rule asks for raw paths', () => {
    const raw = mapping({ rules: [rule('orders:read', 'orders', { ...READ, rawPath: true })] });
    expect(planOf(world({ mapping: raw, written }))).toMatchObject({ changes: [], holds: [] });
  });

  test('is not narrowed in mode extend, and new edges get the new form', () => {
    const extend = mapping({ rules, mode: 'extend' });
    expect(planOf(world({ mapping: extend, written }))).toMatchObject({
      changes: [],
      holds: [{ reason: 'ModeForbids', action: 'revoke' }],
    });
    expect(planOf(world({ mapping: extend, entries: new Map() })).changes).toMatchObject([{ after: PLAIN }]);
  });

  test('gains a scope in the same write', () => {
    const both = mapping({ rules: [...rules, rule('reports', 'orders', { path: '/v1/reports' })] });
    const more = world({ mapping: both, written, clients: [client('web', ['orders:read', 'reports'])] });
    expect(planOf(more).changes).toMatchObject([{ action: 'change', narrows: true, widens: true }]);
  });
});
