import { describe, expect, it } from 'vitest';
import { aclDraft, parseAffectedTokens } from '../../../src/acl/apply/acl-draft.js';
import { applyRig, CAUSE } from '../../apply/apply-rig.js';
import { NOW } from '../../plan/scene.js';
import { gain, loss, method, policy, role, stepsFor, WEB } from './memory-acl.js';

const BY = { id: 'ann' };
const PERSON = { provider: 'main', subject: 'ann', group: 'oncall', actorKind: 'human' } as const;
const TIME = new Date(NOW).toISOString();

describe('the draft of an ACL write', () => {
  it('has everything that its decision will say, and what recovery needs', () => {
    const change = loss.update('id', role(), role('a').object, 'narrows');
    const residual = { agentCache: 'unknown' } as const;
    expect(aclDraft(change, { ...CAUSE, principal: BY }, applyRig().stamp, residual)).toEqual({
      id: 'id-1',
      type: 'dev.scopemesh.acl-role.updated',
      subject: `acl-role/${WEB}`,
      source: 'scopemesh/pay/test',
      action: 'revoke',
      reason: 'ScopeRevoked',
      resource: { kind: 'acl-role', name: WEB },
      client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
      scopes: ['config:read'],
      principal: BY,
      cause: { ...CAUSE, principal: BY },
      before: role('a').object,
      after: role().object,
      residual,
      mappingRevision: 'sha256:test',
      expectedIndex: 0,
      recordedAt: TIME,
    });
  });

  it('says no more than is known, and that nothing was there', () => {
    const { client: _, ...change } = gain.create(policy());
    const draft = aclDraft(change, CAUSE, applyRig().stamp, undefined);
    expect(draft).toMatchObject({ before: null, after: policy().object, action: 'grant' });
    for (const field of ['client', 'person', 'principal', 'residual'])
      expect(Object.keys(draft)).not.toContain(field);
  });

  it('names the person, and who approved it rather than who caused it', () => {
    const change = { ...gain.create(role()), person: PERSON, approvedBy: { id: 'bob' } };
    const draft = aclDraft(change, { ...CAUSE, principal: BY }, applyRig().stamp, undefined);
    expect(draft).toMatchObject({ person: PERSON, principal: { id: 'bob' } });
  });

  it('names nobody at the identity provider where another writer changed the object', () => {
    const change = stepsFor('DriftCorrected').create(role());
    const { cause, principal } = aclDraft(change, { ...CAUSE, principal: BY }, applyRig().stamp, undefined);
    expect(cause).toEqual({ kind: 'consul-watch', receivedAt: TIME });
    expect(principal).toBeUndefined();
  });

  it('of tokens that end says which, and may be made at any time', () => {
    const draftOf = (...how: readonly [{ authMethod: string } | { role: string }, number?]) =>
      aclDraft(loss.endTokens(method(), ...how), CAUSE, applyRig().stamp, undefined);
    const draft = draftOf({ authMethod: WEB }, 300);
    expect(draft).toMatchObject({ subject: `acl-token/${WEB}`, after: null });
    expect(draft.before).toEqual({ authMethod: WEB, longerThanSeconds: 300 });
    expect(Object.keys(draft)).not.toContain('recordedAt');
    expect(Object.keys(Object(draftOf({ role: WEB }).before))).toEqual(['role']);
  });
});

describe('the tokens that a record names', () => {
  it.each([
    { authMethod: WEB },
    { role: WEB },
    { authMethod: WEB, role: WEB },
    { role: WEB, longerThanSeconds: 300 },
  ])('are read back: %o', (meant) => {
    expect(Object.entries(parseAffectedTokens(meant) ?? {})).toEqual(Object.entries(meant));
  });

  it('are what can be read of it', () => {
    expect(parseAffectedTokens({ authMethod: 1, role: WEB, longerThanSeconds: '300' })).toEqual({
      role: WEB,
    });
    expect(parseAffectedTokens({ authMethod: WEB, role: 1 })).toEqual({ authMethod: WEB });
  });

  it.each([undefined, null, 'text', 7, {}, { authMethod: 1 }, { longerThanSeconds: 300 }])(
    'cannot be read from %o',
    (damaged) => expect(parseAffectedTokens(damaged)).toBeUndefined(),
  );
});
