import { describe, expect, it } from 'vitest';
import { createJudge, type JudgedCall } from '../../src/plan/judge-call.js';
import { client, mapping, rule } from './scene.js';

const RULES = [
  rule('read', 'orders', { methods: ['GET'] }),
  rule('user', 'orders', { methods: ['PUT'], userRequired: true }),
  rule('human', 'orders', { methods: ['DELETE'], actors: ['human'] }),
  rule('odd', 'orders', { pathRegex: '/(a)\\1' }),
  rule('dot', 'a.b'),
];
const call = (scopes: readonly string[], changes: Partial<JudgedCall> = {}): JudgedCall => ({
  client: client('web', scopes),
  destination: 'orders',
  request: { method: 'GET', path: '/' },
  asKind: undefined,
  hasUser: false,
  ...changes,
});
const judge = (scopes: readonly string[], changes: Partial<JudgedCall> = {}, more = {}) =>
  createJudge(mapping({ rules: RULES, ...more }))(call(scopes, changes));
const outcomes = (...args: Parameters<typeof judge>) => judge(...args).rules.map(({ outcome }) => outcome);

describe('a call in a test of the mapping', () => {
  it('is allowed if one rule opens it, and every rule that is about it is named in their order', () => {
    const found = judge(['user', 'read']);
    expect(found).toMatchObject({
      isAllowed: true,
      isUnclear: false,
      isProtected: false,
      actorKind: 'workload',
    });
    expect(found.rules).toMatchObject([
      { rule: RULES[0], scope: 'read', outcome: 'opens', needsUser: false, access: { kind: 'http' } },
      { rule: RULES[1], scope: 'user', outcome: 'other-request', needsUser: true },
    ]);
    expect(judge([])).toMatchObject({ isAllowed: false, isUnclear: false, rules: [] });
  });

  it('is allowed in some form where no request is named', () => {
    expect(judge(['read'], { request: undefined }).isAllowed).toBe(true);
    expect(judge(['user'], { request: undefined }).isAllowed).toBe(false);
  });

  it('is another request than the rule opens', () => {
    expect(judge(['read'], { request: { method: 'PUT', path: '/' } })).toMatchObject({
      isAllowed: false,
      rules: [{ outcome: 'other-request' }],
    });
  });

  it('needs a user where the rule says so, whatever else decides', () => {
    const put = { request: { method: 'PUT', path: '/' } };
    expect(outcomes(['user'], put)).toEqual(['needs-user']);
    expect(judge(['user'], put).isAllowed).toBe(false);
    expect(judge(['user'], { ...put, hasUser: true })).toMatchObject({
      isAllowed: true,
      rules: [{ outcome: 'opens' }],
    });
  });

  it('is unclear only where nothing opens it and an expression decides that cannot be judged', () => {
    expect(judge(['odd'])).toMatchObject({
      isAllowed: false,
      isUnclear: true,
      rules: [{ outcome: 'unclear' }],
    });
    expect(judge(['odd', 'read'])).toMatchObject({ isAllowed: true, isUnclear: false });
    expect(judge(['odd'], {}, { protectedServices: ['orders'] }).isUnclear).toBe(false);
  });

  it('is limited by the kind of the client, which a case may set', () => {
    const remove = { request: { method: 'DELETE', path: '/' } };
    expect(judge(['human'], remove)).toMatchObject({
      isAllowed: false,
      rules: [{ scope: 'human', outcome: 'limited', needsUser: false, access: undefined }],
    });
    expect(judge(['human'], { ...remove, asKind: 'human' })).toMatchObject({
      isAllowed: true,
      actorKind: 'human',
    });
    expect(outcomes(['human'], { ...remove, destination: 'billing' })).toEqual([]);
  });

  it('is judged by the kind that the mapping gives the client, or that its grant types give', () => {
    const classify = [{ clientId: 'web', kind: 'human' as const }];
    const remove = { request: { method: 'DELETE', path: '/' } };
    expect(judge(['human'], remove, { classify })).toMatchObject({ isAllowed: true, actorKind: 'human' });
    const unclear = client('web', ['human'], { grantTypes: [] });
    expect(judge([], { ...remove, client: unclear })).toMatchObject({
      isAllowed: false,
      actorKind: 'unknown',
      rules: [{ outcome: 'limited' }],
    });
    expect(judge([], { client: client('web', ['read'], { grantTypes: [] }) }).isAllowed).toBe(true);
  });

  it('is held where the destination of the scope is not a plain service name', () => {
    expect(outcomes(['dot'], { destination: 'a.b' })).toEqual(['held']);
    expect(outcomes(['dot'])).toEqual([]);
  });

  it('opens nothing at a protected destination, in any case of its name', () => {
    const closed = { protectedServices: ['orders'] };
    for (const destination of ['orders', 'Orders']) {
      expect(judge(['read'], { destination }).isAllowed).toBe(true);
      expect(judge(['read'], { destination }, closed)).toMatchObject({
        isAllowed: false,
        isProtected: true,
        rules: [{ outcome: 'opens' }],
      });
    }
  });
});
