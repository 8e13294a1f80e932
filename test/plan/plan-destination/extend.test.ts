import { describe, expect, test } from 'vitest';
import type { Access } from '../../../src/model/intention.js';
import {
  ALLOW,
  client,
  DENY,
  entriesOf,
  entry,
  mapping,
  ourSource,
  planOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
  source,
} from '../scene.js';

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'] }] };
const plan = (changes: Partial<Scene> = {}, destination = 'orders') => planOf(scene(changes), destination);
const ours = (access: Parameters<typeof ourSource>[1] = ALLOW) =>
  entriesOf(entry('orders', ourSource('web', access)));
const gone = { clients: [client('web', [])] };

describe('in mode extend', () => {
  const extend = (changes = {}) => mapping({ mode: 'extend', rules: [rule('orders', 'orders')], ...changes });
  test('what is new is added', () => {
    expect(plan({ mapping: extend() }).changes).toMatchObject([{ verb: 'created' }]);
  });
  test('nothing is deleted', () => {
    expect(plan({ mapping: extend(), ...gone, entries: ours() })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ModeForbids' }],
    });
    expect(plan({ mapping: extend(), ...gone, entries: ours(DENY) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ModeForbids' }],
    });
  });
  test('what would be replaced is added to the existing access as a grant, and the rest is held', () => {
    const put = extend({ rules: [rule('orders', 'orders', { methods: ['PUT'] })] });
    const before = scene({ mapping: put, entries: ours(GET) });
    const first = planOf(before);
    expect(first).toMatchObject({
      changes: [
        {
          action: 'grant',
          reason: 'ScopeGranted',
          scopes: ['orders'],
          narrows: false,
          isInferred: false,
          after: { permissions: [{ methods: ['GET', 'PUT'] }] },
        },
      ],
      holds: [{ reason: 'ModeForbids' }],
    });
    expect(planOf(sceneAfter(before, [first])).changes).toEqual([]);
  });
  test('what would only narrow, or replace what cannot be compared, is held and written in no form', () => {
    const get = extend({ rules: [rule('orders', 'orders', { methods: ['GET'] })] });
    for (const access of [ALLOW, { kind: 'other' } as const])
      expect(plan({ mapping: get, entries: ours(access) })).toMatchObject({
        changes: [],
        holds: [{ reason: 'ModeForbids', detail: 'mode is extend: nothing is narrowed or deleted' }],
      });
  });
  test('an existing edge gains access, whatever a wider intention gives', () => {
    const put = extend({ rules: [rule('orders', 'orders', { methods: ['PUT'] })] });
    const entries = entriesOf(entry('orders', ourSource('web', GET)), entry('*', source('*', ALLOW)));
    expect(plan({ mapping: put, entries }).changes).toMatchObject([{ verb: 'updated', action: 'grant' }]);
  });
  test('no intention is made that gives a source less than a wider foreign one', () => {
    const get = extend({ rules: [rule('orders', 'orders', { methods: ['GET'] })] });
    const wide = { entries: entriesOf(entry('*', source('*', ALLOW))) };
    expect(plan({ mapping: get, ...wide })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ModeForbids' }],
    });
    expect(plan({ mapping: extend(), ...wide }).changes).toMatchObject([{ verb: 'created' }]);
    const unclear = entriesOf(entry('*', source('*', { kind: 'other' })));
    expect(plan({ mapping: extend(), entries: unclear })).toMatchObject({
      changes: [],
      holds: [{ detail: expect.stringContaining('would take away access') }],
    });
  });
});
