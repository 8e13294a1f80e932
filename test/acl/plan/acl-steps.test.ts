import { describe, expect, it } from 'vitest';
import { digestObject } from '../../../src/acl/plan/acl-change.js';
import { createSteps } from '../../../src/acl/plan/acl-steps.js';
import { changesProof, proofOf } from '../../../src/acl/plan/desired-client.js';
import { jwtBlocksOf } from '../../../src/acl/plan/jwt-blocks.js';
import { existingTtlSeconds, ruleKey } from '../../../src/acl/plan/owned-acl.js';
import { isSameAclObject, planAclEjection } from '../../../src/acl/plan/plan-acl-ejection.js';
import type { AclAuthMethod, AclObject, AclSnapshot, Stored } from '../../../src/model/acl.js';
import { clientName, isOfAnotherOwner, isOurs } from '../../../src/plan/object-names.js';
import { ALLOW, entry, named, source } from '../../plan/scene.js';

const NAME = 'scopemesh-pay-main-web';
const MARK = 'scopemesh:pay client=main/web';
const policy: AclObject = { kind: 'acl-policy', object: { name: NAME, description: MARK, rules: '{}' } };
const role: AclObject = {
  kind: 'acl-role',
  object: { name: NAME, description: MARK, policies: [], serviceIdentities: ['web'] },
};
const method = (claimMappings: Readonly<Record<string, string>> = {}): AclAuthMethod => ({
  name: NAME,
  description: MARK,
  maxTokenTtlSeconds: 300,
  config: { boundAudiences: ['consul'], signingAlgorithms: ['RS256'], claimMappings, listClaimMappings: {} },
});
const rule = {
  description: MARK,
  authMethod: NAME,
  bindType: 'role',
  bindName: NAME,
  selector: 'x',
} as const;
const stored = <T>(id: string, object: T, isAltered = false): Stored<T> => ({
  id,
  object,
  isAltered,
  modifyIndex: 1,
});

describe('a step of an ACL plan', () => {
  const steps = (lastApplied: ReadonlyMap<string, string> = new Map()) =>
    createSteps({
      why: (_, direction) => ({
        reason: direction === 'narrow' ? 'ScopeRevoked' : 'ScopeGranted',
        isInferred: direction === 'narrow',
        scopes: [],
      }),
      lastApplied,
    });

  it('that makes an object widens', () => {
    expect(steps().create(role)).toEqual({
      reason: 'ScopeGranted',
      isInferred: false,
      scopes: [],
      subject: `acl-role/${NAME}`,
      resource: { kind: 'acl-role', name: NAME },
      action: 'grant',
      verb: 'created',
      narrows: false,
      widens: true,
      step: { do: 'write', id: undefined, object: role },
      after: role.object,
    });
  });

  it('that changes an object has its own effect, and the reason of that', () => {
    const of = (effect: 'narrows' | 'widens' | 'neither') => steps().update('7', role, policy.object, effect);
    expect(of('narrows')).toMatchObject({
      action: 'revoke',
      reason: 'ScopeRevoked',
      narrows: true,
      widens: false,
    });
    expect(of('widens')).toMatchObject({
      action: 'grant',
      reason: 'ScopeGranted',
      narrows: false,
      widens: true,
    });
    expect(of('neither')).toMatchObject({
      action: 'change',
      reason: 'ScopeGranted',
      narrows: false,
      widens: false,
    });
    expect(of('neither')).toMatchObject({
      verb: 'updated',
      before: policy.object,
      after: role.object,
      step: { id: '7' },
    });
  });

  it('that removes an object narrows unless nobody had it, and has the reason of a loss', () => {
    const removed = steps().remove('7', policy);
    expect(removed).toMatchObject({
      action: 'revoke',
      verb: 'deleted',
      reason: 'ScopeRevoked',
      narrows: true,
      before: policy.object,
      step: { do: 'delete', kind: 'acl-policy', id: '7', name: NAME },
    });
    expect(removed).not.toHaveProperty('after');
    expect(steps().remove('7', policy, 'neither')).toMatchObject({
      action: 'change',
      reason: 'ScopeRevoked',
      narrows: false,
    });
  });

  it('that ends tokens is about the tokens of the object', () => {
    const ended = steps().endTokens(role, { role: NAME });
    expect(ended).toMatchObject({
      subject: `acl-token/${NAME}`,
      resource: { kind: 'acl-token', name: NAME },
      action: 'revoke',
      verb: 'deleted',
      narrows: true,
    });
    expect(ended.step).toEqual({ do: 'end-tokens', by: { role: NAME } });
    for (const key of ['before', 'after']) expect(ended).not.toHaveProperty(key);
    expect(steps().endTokens(role, { role: NAME }, 60).step).toMatchObject({ longerThanSeconds: 60 });
  });

  it('that writes what was written last is drift, and nothing inferred', () => {
    const written = steps(new Map([[`acl-role/${NAME}`, digestObject(role)]]));
    expect(written.update('7', role, role.object, 'narrows')).toMatchObject({
      reason: 'DriftCorrected',
      isInferred: false,
    });
    expect(written.remove('7', role)).toMatchObject({ reason: 'ScopeRevoked', isInferred: true });
    expect(steps(new Map([[`acl-role/${NAME}`, 'other']])).create(role).reason).toBe('ScopeGranted');
  });
});

describe('the digest of an ACL object', () => {
  const of = (config: object) =>
    digestObject({
      kind: 'acl-auth-method',
      object: { ...method(), config: { ...method().config, ...config } },
    });

  it('does not depend on the order of fields, and on absent ones', () => {
    expect(of({ claimMappings: { a: '1', b: '2' } })).toBe(of({ claimMappings: { b: '2', a: '1' } }));
    expect(of({ jwksUrl: undefined })).toBe(of({}));
  });

  it('depends on every value, on the order of a list, and on where a value is', () => {
    const all = [
      {},
      { jwksUrl: 'a' },
      { caCert: 'a' },
      { jwksUrl: null },
      { boundAudiences: ['a', 'b'] },
      { boundAudiences: ['b', 'a'] },
      { boundAudiences: ['a,b'] },
      { boundAudiences: { 0: 'a', 1: 'b' } },
      { claimMappings: { a: '1' } },
      { claimMappings: { a: '2' } },
    ];
    expect(new Set(all.map(of)).size).toBe(all.length);
  });
});

describe('the ejection of ACL objects', () => {
  const snapshot: AclSnapshot = {
    policies: [
      stored('p', policy.object as never),
      stored('x', { name: 'other', description: '', rules: '{}' }),
    ],
    roles: [stored('r', role.object as never, true)],
    authMethods: [stored(NAME, method())],
    bindingRules: [stored('b', rule)],
  };

  it('takes the mark of every owned object and changes nothing else, but for one that was altered', () => {
    const found = planAclEjection('pay', snapshot);
    expect(found.map(({ change, why }) => [change.resource.kind, change.step, why !== undefined])).toEqual([
      [
        'acl-policy',
        { do: 'write', id: 'p', object: { ...policy, object: { ...policy.object, description: '' } } },
        false,
      ],
      [
        'acl-role',
        { do: 'write', id: 'r', object: { ...role, object: { ...role.object, description: '' } } },
        true,
      ],
      [
        'acl-binding-rule',
        { do: 'write', id: 'b', object: { kind: 'acl-binding-rule', object: { ...rule, description: '' } } },
        false,
      ],
      [
        'acl-auth-method',
        {
          do: 'write',
          id: NAME,
          object: { kind: 'acl-auth-method', object: { ...method(), description: '' } },
        },
        false,
      ],
    ]);
    for (const { change } of found)
      expect(change).toMatchObject({
        reason: 'Ejected',
        isInferred: false,
        scopes: [],
        action: 'change',
        narrows: false,
        widens: false,
      });
    expect(planAclEjection('other', snapshot)).toEqual([]);
  });

  it('knows the same object again', () => {
    const [one, two, three] = planAclEjection('pay', snapshot).map(({ change }) => change);
    if (one === undefined || two === undefined || three === undefined) throw new Error('too few');
    const steps = createSteps({
      why: () => ({ reason: 'Ejected', isInferred: false, scopes: [] }),
      lastApplied: new Map(),
    });
    expect(isSameAclObject(one, { ...one })).toBe(true);
    expect(isSameAclObject(one, two)).toBe(false);
    expect(isSameAclObject(one, steps.update('r', policy, policy.object, 'neither'))).toBe(false);
    expect(isSameAclObject(one, steps.update('p', role, role.object, 'neither'))).toBe(false);
    expect(isSameAclObject(one, steps.remove('p', policy))).toBe(false);
    expect(isSameAclObject(steps.remove('p', policy), one)).toBe(false);
  });
});

describe('the proof that an auth method asks for', () => {
  const own = method({ azp: 'client_id', client_id: 'own_token' });
  const any = method({ azp: 'client_id' });
  const delegated = method({ azp: 'client_id', '/act/sub': 'actor' });

  it('is read from what it maps', () => {
    expect([own, any, delegated].map(proofOf)).toEqual(['own', 'any', 'delegated']);
  });

  it('changes if another is asked for, except that a client of people now acts for itself', () => {
    const of = (
      actual: AclAuthMethod | undefined,
      desired: AclAuthMethod | undefined,
      actorKind: 'human' | 'workload',
    ) => {
      const authMethods = desired === undefined ? [] : [desired];
      return changesProof(actual, {
        actorKind,
        desired: { policies: [], roles: [], bindingRules: [], authMethods },
      });
    };
    expect(of(own, own, 'workload')).toBe(false);
    expect(of(any, own, 'workload')).toBe(true);
    expect(of(any, own, 'human')).toBe(false);
    expect(of(own, any, 'human')).toBe(true);
    expect(of(any, delegated, 'human')).toBe(true);
    expect(of(delegated, own, 'human')).toBe(true);
    expect(of(undefined, own, 'workload')).toBe(false);
    expect(of(any, undefined, 'workload')).toBe(false);
  });
});

describe('the names of ACL objects', () => {
  it('show the owner only together with the mark', () => {
    expect(isOurs('pay', NAME, MARK)).toBe(true);
    expect(isOurs('pay', NAME, '')).toBe(false);
    expect(isOurs('pay', 'other', MARK)).toBe(false);
    expect(isOfAnotherOwner('pay', NAME)).toBe(false);
    expect(isOfAnotherOwner('other', NAME)).toBe(true);
    expect(isOfAnotherOwner('other', NAME.toUpperCase())).toBe(true);
    expect(isOfAnotherOwner('other', 'my-scopemesh-')).toBe(false);
  });

  it('are hashed where the client ID is not plain to its end', () => {
    expect(clientName('pay', { provider: 'main', clientId: 'web' })).toBe(NAME);
    for (const clientId of ['web/x', 'web ', 'Web', 'a_b'])
      expect(clientName('pay', { provider: 'main', clientId })).toMatch(/^scopemesh-pay-main-_[0-9a-f]{40}$/);
  });

  it('give the lifetime of an owned method alone, and one key to a rule in any case', () => {
    expect(existingTtlSeconds('pay', method())).toBe(300);
    expect(existingTtlSeconds('other', method())).toBeUndefined();
    expect(existingTtlSeconds('pay', undefined)).toBeUndefined();
    expect(ruleKey({ ...rule, authMethod: NAME.toUpperCase(), bindName: NAME.toUpperCase() })).toBe(
      ruleKey(rule),
    );
    expect(ruleKey({ ...rule, bindType: 'service' })).not.toBe(ruleKey(rule));
  });
});

describe('the JWT requirements of an entry', () => {
  const jwt = (...providers: readonly unknown[]) => ({ Providers: providers });
  const claim = { Path: ['a', 1], Value: 'x' };

  it('are those of the entry and of each permission, in order', () => {
    const of = {
      ...entry(
        'orders',
        source('web', ALLOW, '', {
          raw: { Permissions: [{ JWT: jwt({ Name: 'b', VerifyClaims: [claim] }, { Name: 'c' }) }, {}] },
        }),
        source('job', ALLOW, '', { raw: {} }),
      ),
      raw: { JWT: jwt({ Name: 'a' }) },
    };
    expect(jwtBlocksOf(of)).toEqual([
      { destination: named('orders'), source: undefined, providers: [{ name: 'a', claims: [] }] },
      {
        destination: named('orders'),
        source: 'web',
        providers: [
          { name: 'b', claims: [{ path: ['a', '1'], value: 'x' }] },
          { name: 'c', claims: [] },
        ],
      },
    ]);
  });

  it('are left out where they are malformed', () => {
    const malformed = [undefined, 5, {}, { Providers: 'x' }, jwt(), jwt(null), jwt('x'), jwt({ Name: 1 })];
    for (const JWT of malformed) expect(jwtBlocksOf({ ...entry('orders'), raw: { JWT } })).toEqual([]);
    const claims = [null, 1, {}, { Path: 'a', Value: 'x' }, { Path: ['a'], Value: 1 }];
    expect(
      jwtBlocksOf({ ...entry('orders'), raw: { JWT: jwt({ Name: 'a', VerifyClaims: claims }) } }),
    ).toMatchObject([{ providers: [{ name: 'a', claims: [] }] }]);
  });
});
