import { describe, expect, test } from 'vitest';
import type { IntentionSource } from '../../src/model/intention.js';
import type { Ruling } from '../../src/plan/guards/guard.js';
import { REMOVED, toLastAppliedText } from '../../src/plan/last-applied.js';
import { guarded } from './guarded.js';
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
} from './scene.js';

const gone = { clients: [client('web', [])] };

describe('a source with our mark and without a record', () => {
  const unrecorded = { unrecorded: undefined, written: new Map<string, string>() };
  const of = (changes: Partial<Scene>) => planOf(scene({ ...unrecorded, ...changes }));
  const ours = (...sources: IntentionSource[]) => ({ entries: entriesOf(entry('orders', ...sources)) });
  const subject = 'intention/default/default/orders/web';

  test('is recorded without a change if it equals the desired one', () => {
    const found = of(ours(ourSource('web', ALLOW)));
    expect(found).toMatchObject({ changes: [], holds: [] });
    expect([...(found.records ?? [])]).toEqual([[subject, toLastAppliedText(ALLOW, ['orders'])]]);
  });
  test('is recorded if only its Description differs, which is corrected', () => {
    const found = of(ours(ourSource('web', ALLOW, 'old')));
    expect([...(found.records?.keys() ?? [])]).toEqual([subject]);
    expect(guarded(found)).toMatchObject({
      changes: [{ verb: 'updated', narrows: false, widens: false }],
      holds: [],
    });
  });
  test('waits for a person if it differs, and never counts', () => {
    for (const [access, action] of [
      [DENY, 'grant'],
      [ALLOW, 'revoke'],
    ] as const) {
      const found = of({ ...ours(ourSource('web', access)), ...(action === 'revoke' ? gone : {}) });
      expect(found.changes).toMatchObject([{ isUnrecorded: true, isInferred: false, action }]);
      expect(found.records).toBeUndefined();
      expect(guarded(found)).toMatchObject({
        changes: [],
        holds: [{ reason: 'MarkUnrecorded', action }],
        counted: [],
      });
    }
  });
  test('is changed once a person approves it, and kept if a person rejects it', () => {
    const found = of({ ...ours(ourSource('web', ALLOW)), ...gone });
    const ruled = (verdict: Ruling['verdict']) =>
      guarded(found, { rulings: new Map([[subject, { verdict, by: { id: 'bob' }, at: '' }]]) });
    expect(ruled('approved')).toMatchObject({
      changes: [{ verb: 'deleted', approvedBy: { id: 'bob' } }],
      used: [{ reason: 'MarkUnrecorded' }],
      counted: [],
    });
    expect(ruled('rejected')).toMatchObject({ changes: [], holds: [{ reason: 'MarkUnrecorded' }] });
  });
  test('is ours and not counted as a loss if scopemesh removed it before', () => {
    const removed = { written: new Map([[subject, REMOVED]]) };
    const found = of({ ...ours(ourSource('web', ALLOW)), ...gone, ...removed });
    expect(guarded(found).changes).toMatchObject([
      { verb: 'deleted', reason: 'DriftCorrected', isInferred: false },
    ]);
    // Otherwise its next loss would be drift too.
    const again = of({ ...ours(ourSource('web', ALLOW)), ...removed });
    expect([...(again.records?.keys() ?? [])]).toEqual([subject]);
  });
  test('stays as it is in mode extend, and is not widened', () => {
    const extend = { mapping: mapping({ rules: [rule('orders', 'orders')], mode: 'extend' }) };
    expect(guarded(of({ ...extend, ...ours(ourSource('web', DENY)) }))).toMatchObject({
      changes: [],
      holds: [{ reason: 'MarkUnrecorded' }],
    });
    expect(guarded(of({ ...extend, ...ours(ourSource('web', ALLOW)), ...gone }))).toMatchObject({
      changes: [],
      holds: [{ reason: 'ModeForbids' }],
    });
  });
  test('is kept unknown while the directory is unread', () => {
    const unread = { unread: ['main'], clients: [] };
    expect(of({ ...ours(ourSource('web', ALLOW)), ...unread })).toMatchObject({ changes: [], holds: [] });
  });
  test('is not recorded by the record of the same name in another namespace', () => {
    const other = { ...ourSource('web', ALLOW), namespace: 'other' };
    const found = of({ ...ours(other), written: new Map([[subject, toLastAppliedText(ALLOW, [])]]) });
    expect(guarded(found).holds).toMatchObject([{ reason: 'MarkUnrecorded' }]);
  });
});
