import { describe, expect, it } from 'vitest';
import type { HoldReason } from '../../src/model/decision.js';
import {
  beforeWrite,
  endedHold,
  fingerprintOf,
  holdKey,
  isApprovable,
  isDelay,
  mergeHolds,
  quarantinedIn,
} from '../../src/plan/holds.js';
import type { Hold } from '../../src/plan/plan.js';
import { ALLOW, DENY } from './scene.js';

const SUBJECT = 'intention/default/default/orders/web';
const hold = (changes: Partial<Hold> = {}): Hold => ({
  subject: SUBJECT,
  reason: 'ProtocolUnsuitable',
  detail: 'tcp',
  action: 'grant',
  scopes: ['read'],
  resource: { kind: 'intention', source: 'web', destination: 'orders' },
  ...changes,
});

describe('a hold', () => {
  it('waits for a person for these two reasons, and delays a change for one more', () => {
    const reasons: readonly HoldReason[] = [
      'RevocationLimit',
      'MarkUnrecorded',
      'Frozen',
      'Contended',
      'ModeForbids',
      'ForeignSource',
    ];
    expect(reasons.filter(isApprovable)).toEqual(['RevocationLimit', 'MarkUnrecorded']);
    expect(reasons.filter(isDelay)).toEqual(['RevocationLimit', 'MarkUnrecorded', 'Frozen']);
  });

  it('has one key for each subject and reason', () => {
    const keys = [hold(), hold({ reason: 'Frozen' }), hold({ subject: 'other' })].map(holdKey);
    expect(new Set(keys).size).toBe(3);
    expect(holdKey(hold({ detail: 'other', scopes: [] }))).toBe(keys[0]);
  });

  it('is of a quarantine only for that reason', () => {
    const holds = [hold({ reason: 'ClientQuarantined' }), hold({ subject: 'other' })];
    expect([...quarantinedIn(holds)]).toEqual([SUBJECT]);
  });
});

describe('before a write', () => {
  const quarantine = hold({ reason: 'ClientQuarantined' });
  const other = hold({ subject: 'other' });

  it('the hold of a quarantine is late if the write changes its subject', () => {
    const { early, isLate } = beforeWrite([quarantine, other], [], () => true);
    expect(early).toEqual([other]);
    expect([SUBJECT, 'other'].map(isLate)).toEqual([true, false]);
  });

  it('the end of a recorded quarantine is late too, and other holds of its subject are not', () => {
    const limit = hold({ reason: 'RevocationLimit' });
    const { early, isLate } = beforeWrite([limit], [quarantine], (subject) => subject === SUBJECT);
    expect(early).toEqual([limit]);
    expect(isLate(SUBJECT)).toBe(true);
  });

  it('nothing is late of a subject that stays as it is', () => {
    const { early, isLate } = beforeWrite([quarantine], [], () => false);
    expect(early).toEqual([quarantine]);
    expect(isLate(SUBJECT)).toBe(false);
  });
});

describe('a hold is reported again', () => {
  const isSame = (one: Partial<Hold>, other: Partial<Hold>) =>
    fingerprintOf(hold(one)) === fingerprintOf(hold(other));

  it('if it holds another action, other scopes, or leaves something else', () => {
    expect(isSame({}, {})).toBe(true);
    expect(isSame({}, { action: 'revoke' })).toBe(false);
    expect(isSame({}, { scopes: ['write'] })).toBe(false);
    expect(isSame({}, { leaves: [] as unknown as NonNullable<Hold['leaves']> })).toBe(false);
  });

  it.each(['ModeForbids', 'RevocationLimit', 'MarkUnrecorded'] as const)(
    'for %s also if it would leave another access: a person approves this one',
    (reason) => {
      expect(isSame({ reason, after: ALLOW }, { reason, after: DENY })).toBe(false);
      expect(isSame({ reason, detail: '1 of 9' }, { reason, detail: '2 of 9' })).toBe(true);
    },
  );

  it('keeps its fingerprint for other reasons if only the access differs', () => {
    expect(isSame({ after: ALLOW }, { after: DENY })).toBe(true);
  });

  it.each(['InvalidServiceName', 'ProtectedDestination', 'InvalidClientId'] as const)(
    'for %s also if its detail names another service or person',
    (reason) => {
      expect(isSame({ reason, detail: 'a' }, { reason, detail: 'b' })).toBe(false);
    },
  );

  it('keeps its fingerprint for other reasons if only the detail differs', () => {
    expect(isSame({ detail: 'a' }, { detail: 'b' })).toBe(true);
  });
});

describe('holds of one subject and reason', () => {
  it('are one, with all scopes and details', () => {
    const other = hold({ reason: 'Frozen' });
    const merged = mergeHolds([
      hold({ scopes: ['write', 'read'], detail: 'b' }),
      other,
      hold({ scopes: ['read', 'admin'], detail: 'a' }),
      hold({ detail: 'a' }),
    ]);
    expect(merged).toEqual([hold({ scopes: ['admin', 'read', 'write'], detail: 'a; b' }), other]);
    expect(mergeHolds([other])).toEqual([other]);
    expect(mergeHolds([])).toEqual([]);
  });

  it('name five details and count the others', () => {
    const of = (count: number) =>
      mergeHolds(Array.from({ length: count }, (_, at) => hold({ detail: `d${at}` })))[0]?.detail;
    expect(of(5)).toBe('d0; d1; d2; d3; d4');
    expect(of(7)).toBe('d0; d1; d2; d3; d4; and 2 more');
  });
});

describe('the end of a hold', () => {
  const ended = (subject: string, reason: HoldReason = 'Frozen') => endedHold({ subject, reason });

  it('changes nothing, and says why', () => {
    expect(ended(SUBJECT)).toMatchObject({ subject: SUBJECT, reason: 'Frozen', action: 'none', scopes: [] });
    expect(ended(SUBJECT).detail).toBe('the reason for holding it is gone');
    expect(ended(SUBJECT, 'ModeForbids').detail).toContain('no change is planned any more');
  });

  it.each([
    [
      'intention/default/team/orders/web%2Fa',
      { kind: 'intention', partition: 'default', namespace: 'team', destination: 'orders', source: 'web/a' },
    ],
    ['claim/main/web-app/web', { kind: 'claim', name: 'web' }],
    ['client/main/web%20app', { kind: 'client', name: 'web app' }],
    ['client', { kind: 'client', name: '' }],
    ['acl-role/scopemesh-pay', { kind: 'acl-role', name: 'scopemesh-pay' }],
    ['acl-policy/a', { kind: 'acl-policy', name: 'a' }],
    ['acl-auth-method/a', { kind: 'acl-auth-method', name: 'a' }],
    ['acl-binding-rule/a/b', { kind: 'acl-binding-rule', name: 'a/b' }],
    ['acl-token/a', { kind: 'acl-token', name: 'a' }],
    ['jwt-provider/a', { kind: 'jwt-provider', name: 'a' }],
  ])('finds its resource in the subject %s', (subject, resource) => {
    expect(ended(subject).resource).toEqual(resource);
  });
});
