import { describe, expect, test } from 'vitest';
import { recordHolds } from '../../src/apply/record-holds.js';
import { fingerprintOf, mergeHolds } from '../../src/plan/holds.js';
import type { Hold } from '../../src/plan/plan.js';
import { client, NOW } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const hold = (detail: string, changes: Partial<Hold> = {}): Hold => ({
  subject: 'acl-auth-method/web',
  resource: { kind: 'acl-auth-method', name: 'web' },
  reason: 'ProtectedDestination',
  detail,
  action: 'grant',
  scopes: [],
  ...changes,
});

describe('holds of one subject and reason', () => {
  test('are one, which names every scope and says each thing once', () => {
    const holds = [
      hold('b is protected', { scopes: ['y'] }),
      hold('a is protected', { scopes: ['x'] }),
      hold('b is protected', { scopes: ['z'] }),
      hold('other', { reason: 'InvalidRules' }),
    ];
    expect(mergeHolds(holds)).toEqual([
      hold('a is protected; b is protected', { scopes: ['x', 'y', 'z'] }),
      hold('other', { reason: 'InvalidRules' }),
    ]);
    expect(
      mergeHolds(holds.toReversed())
        .map(({ detail }) => detail)
        .toSorted(),
    ).toEqual(['a is protected; b is protected', 'other']);
  });

  test('are others where they would leave something else, so that no approval is good for both', () => {
    const removal = hold('too many', { reason: 'RevocationLimit', action: 'change', scopes: ['x'] });
    const fingerprints = [
      removal,
      { ...removal, after: { kind: 'allow' as const } },
      { ...removal, after: { kind: 'deny' as const } },
      { ...removal, action: 'revoke' as const },
      { ...removal, scopes: ['x', 'y'] },
      { ...removal, leaves: '[]' },
      { ...removal, leaves: '["web"]' },
    ].map(fingerprintOf);
    expect(new Set(fingerprints).size).toBe(fingerprints.length);
    expect(fingerprintOf({ ...removal, detail: 'more by now' })).toBe(fingerprintOf(removal));
  });

  test('are counted beyond a few', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    expect(mergeHolds(names.map((name) => hold(name)))).toEqual([hold('a; b; c; d; e; and 2 more')]);
  });

  test('are recorded again if another service is among them', () => {
    const before = mergeHolds([hold('a is protected')]);
    const after = mergeHolds([hold('a is protected'), hold('b is protected')]);
    expect(after.map(fingerprintOf)).not.toEqual(before.map(fingerprintOf));
  });
});

test('While the store is low, the hold of a revocation is recorded, but not that of a mark without a record', async () => {
  const { deps, decisions } = depsOf(worldWithTwo(), {});
  const low = { ...deps, space: { isLow: () => true } };
  const holds = (['MarkUnrecorded', 'RevocationLimit'] as const).map((reason) =>
    hold('why', { reason, action: 'revoke', subject: `intention/default/default/orders/${reason}` }),
  );
  const cause = { kind: 'resync', receivedAt: new Date(NOW).toISOString() } as const;
  const record = { pending: [], lastApplied: new Map(), holds: new Map() };
  await recordHolds('destination/default/default/orders', record, holds, cause, low);
  expect(decisions.map(({ reason }) => reason)).toEqual(['RevocationLimit']);
});

test('The hold of a client that was read alone stays while nothing is decided, and ends once its change is made', async () => {
  const subject = 'intention/default/default/orders/web';
  const world = worldWithTwo();
  world.forgetDirectory('main');
  world.putClient({ provider: 'main', clientId: 'web' }, client('web', []), world.beginRead());
  const { deps, decisions } = depsOf(world, {});
  const known = {
    subject,
    reason: 'RevocationLimit',
    decisionId: '1',
    since: '',
    detail: '',
    fingerprint: '',
  } as const;
  const record = { pending: [], lastApplied: new Map(), holds: new Map([['hold', known]]) };
  const cause = { kind: 'webhook', receivedAt: new Date(NOW).toISOString() } as const;
  const end = (decided?: ReadonlySet<string>) =>
    recordHolds('destination/default/default/orders', record, [], cause, deps, undefined, decided);
  await end();
  expect(decisions).toEqual([]);
  await end(new Set([subject]));
  expect(decisions).toMatchObject([{ subject, outcome: 'observed', reason: 'HoldEnded' }]);
});

describe('the plan of an edge that the mode forbids', () => {
  const subject = 'intention/default/default/orders/web';
  const edge = { subject, resource: { kind: 'intention', source: 'web', destination: 'orders' } } as const;
  const cause = { kind: 'resync', receivedAt: new Date(NOW).toISOString() } as const;
  const known = (reason: Hold['reason']) => ({
    pending: [],
    lastApplied: new Map(),
    holds: new Map([
      [`${subject} ${reason}`, { subject, reason, decisionId: '1', since: '', detail: '', fingerprint: '' }],
    ]),
  });
  const recorded = async (before: Hold['reason'], ...holds: Hold['reason'][]) => {
    const { deps, decisions } = depsOf(worldWithTwo(), {});
    const now = holds.map((reason) => hold('why', { ...edge, reason, action: 'revoke' }));
    await recordHolds('destination/default/default/orders', known(before), now, cause, deps);
    return decisions.map(({ reason, action, id }) => [id, reason, action]);
  };

  test('goes on while the mass guard or a freeze delays it', async () => {
    for (const reason of ['RevocationLimit', 'MarkUnrecorded', 'Frozen'] as const)
      expect(await recorded('ModeForbids', reason)).toEqual([['id-1', reason, 'revoke']]);
  });

  test('ends before another hold begins, and begins after one ended', async () => {
    expect(await recorded('ModeForbids', 'ForeignSource')).toEqual([
      ['id-1', 'ModeForbids', 'none'],
      ['id-2', 'ForeignSource', 'revoke'],
    ]);
    expect(await recorded('RevocationLimit', 'ModeForbids')).toEqual([
      ['id-1', 'HoldEnded', 'none'],
      ['id-2', 'ModeForbids', 'revoke'],
    ]);
  });
});
