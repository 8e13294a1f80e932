import { expect, it } from 'vitest';
import type { AclChange } from '../../../src/acl/plan/acl-change.js';
import { withoutLogins } from '../../../src/acl/plan/redirected-issuer.js';

const METHOD = { kind: 'acl-auth-method', name: 'm' } as const;
const change = (subject: string, parts: Partial<AclChange>): AclChange => ({
  subject,
  resource: METHOD,
  action: 'change',
  verb: 'updated',
  reason: 'MappingChanged',
  isInferred: false,
  scopes: ['config:read'],
  narrows: false,
  widens: false,
  step: { do: 'end-tokens', by: { role: 'm' } },
  ...parts,
});
const removed = (subject: string, reason: AclChange['reason']) =>
  change(subject, { verb: 'deleted', narrows: true, reason });
const created = (subject: string) => change(subject, { verb: 'created', widens: true });
const plan = (...changes: AclChange[]) => withoutLogins({ changes, holds: [] }, 'm');

it('nothing is made or widened, and what only narrows or cleans up is', () => {
  const loss = removed('acl-role/a', 'ScopeRevoked');
  const cleanUp = change('acl-policy/p', { verb: 'deleted' });
  const { changes, holds } = plan(loss, created('acl-auth-method/m'), cleanUp, change('acl-role/b', {}));
  expect(changes).toEqual([loss, cleanUp]);
  expect(holds).toMatchObject([
    { subject: 'acl-auth-method/m', reason: 'LoginUnverifiable', scopes: ['config:read'] },
  ]);
});

it('a method that a new file would change stays as it is', () => {
  const { changes, holds } = plan(
    removed('acl-auth-method/m', 'MappingChanged'),
    created('acl-auth-method/m'),
  );
  expect([changes, holds.length]).toEqual([[], 1]);
});

it('a method that somebody changed goes, although it cannot be made again', () => {
  const drift = removed('acl-auth-method/m', 'DriftCorrected');
  expect(plan(drift, created('acl-auth-method/m')).changes).toEqual([drift]);
});

it('a plan that only narrows is the same, without a hold', () => {
  const only = { changes: [removed('acl-role/a', 'ScopeRevoked')], holds: [] };
  expect(withoutLogins(only, 'm')).toBe(only);
});
