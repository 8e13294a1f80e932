import { describe, expect, it } from 'vitest';
import type { Access } from '../../../src/model/intention.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../../../src/model/jwt-provider.js';
import { NO_USER_TOKEN_FACTS, type UserTokenFacts } from '../../../src/plan/destination-input.js';
import { guardableJwtProviders, jwtProviderFacts } from '../../../src/plan/jwt-provider-change.js';
import { planJwtProviders } from '../../../src/plan/plan-jwt-providers.js';
import {
  entryText,
  isSameEntry,
  jwksUriOf,
  keptUserAccess,
  parseEntryKeys,
} from '../../../src/plan/user-tokens.js';
import { ISSUER, settings } from '../../acl/plan/acl-scene.js';
import { ALLOW, DENY, mapping, planOf, rule, scene } from '../scene.js';
import { ENTRY, existing, facts, KEYS, NAME } from '../user-token-scene.js';

const jwt = { provider: NAME, verifyClaims: [] };

describe('the part of an access that stays while its requirement is unclear', () => {
  const stays: Access = { kind: 'http', permissions: [{ methods: ['GET'], jwt }] };
  const of = (...permissions: Extract<Access, { kind: 'http' }>['permissions']) =>
    keptUserAccess({ kind: 'http', permissions }, stays);

  it('has the requirement, and lies within what the rule opens', () => {
    expect(of({ methods: ['GET'], pathExact: '/a', jwt })).toEqual({
      kind: 'http',
      permissions: [{ methods: ['GET'], pathExact: '/a', jwt }],
    });
    expect(of({ methods: ['PUT'], jwt }, { methods: ['GET'], jwt })).toEqual(stays);
  });

  it('is nothing without a requirement, with one of another provider, or outside of the rule', () => {
    expect(of({ methods: ['GET'] })).toBeUndefined();
    expect(of({ methods: ['GET'], jwt: { ...jwt, provider: 'other' } })).toBeUndefined();
    expect(of({ methods: ['PUT'], jwt })).toBeUndefined();
    for (const kept of [ALLOW, DENY, undefined]) expect(keptUserAccess(kept, stays)).toBeUndefined();
    expect(keptUserAccess(stays, undefined)).toBeUndefined();
  });

  it('is nothing without a requirement also where the rule opens everything', () => {
    expect(keptUserAccess({ kind: 'http', permissions: [{ methods: ['GET'] }] }, ALLOW)).toBeUndefined();
  });
});

describe('the address of the keys of a provider', () => {
  const of = (entries: UserTokenFacts, issuer = ISSUER) =>
    jwksUriOf({ name: 'main', issuer }, 'pay', entries);
  const silent = (...entries: readonly ExistingJwtProvider[]) => ({
    ...facts(...entries),
    jwksUris: new Map(),
  });
  const content = (changes: Partial<JwtProviderEntry>) => existing({ content: { ...ENTRY, ...changes } });

  it('is the discovered one, and otherwise that of the owned entry', () => {
    expect(of(facts(content({ jwksUri: 'https://old' })))).toBe(KEYS);
    expect(of(silent(content({ jwksUri: 'https://old' })))).toBe('https://old');
    expect(of(silent())).toBeUndefined();
    expect(of(NO_USER_TOKEN_FACTS)).toBeUndefined();
  });

  it.each([
    ['of another writer', existing({ meta: {} })],
    ['of another owner', existing({ meta: { ...ENTRY.meta, scopemesh: 'scopemesh:other' } })],
    ['that is not understood', existing({ content: 'other' })],
    ['of another issuer', content({ issuer: 'https://evil' })],
    ['without an address', content({ jwksUri: '' })],
  ])('is never taken from an entry %s', (_, entry) => {
    expect(of(silent(entry))).toBeUndefined();
  });
});

describe('the text of a jwt-provider', () => {
  it('has the keys that can be read back, and nothing else has', () => {
    expect(parseEntryKeys(entryText(ENTRY))).toEqual({ issuer: ISSUER, jwksUri: KEYS });
    expect(parseEntryKeys('{}')).toBeUndefined();
    expect(parseEntryKeys(JSON.stringify(['a', 1, [], 'b']))).toBeUndefined();
    expect(parseEntryKeys(JSON.stringify(['a', 'b', [], 1]))).toBeUndefined();
  });

  it('differs by every field, and not by the order of its Meta', () => {
    const turned = Object.fromEntries(Object.entries(ENTRY.meta).toReversed());
    expect(isSameEntry({ ...ENTRY, meta: turned }, ENTRY)).toBe(true);
    expect(isSameEntry('other', ENTRY)).toBe(false);
    const others: readonly Partial<JwtProviderEntry>[] = [
      { issuer: 'x' },
      { audiences: [] },
      { jwksUri: 'x' },
      { caFile: 'x' },
      { forwardHeader: 'x' },
      { meta: {} },
    ];
    for (const change of others) expect(isSameEntry({ ...ENTRY, ...change }, ENTRY)).toBe(false);
  });
});

describe('a rule that requires a user', () => {
  const rules = [rule('orders', 'orders', { userRequired: true })];
  const plan = (mode: 'observe' | 'extend' | 'enforce', userTokens: UserTokenFacts) =>
    planOf(scene({ mapping: mapping({ rules, acl: settings(), mode }), userTokens }));
  const different = existing({ content: { ...ENTRY, audiences: ['other'] } });

  it('is planned without its jwt-provider where nothing is written, and waits for it otherwise', () => {
    expect(plan('observe', facts()).changes).toMatchObject([{ action: 'grant' }]);
    expect(plan('enforce', facts())).toMatchObject({ changes: [], awaits: ['main'] });
    expect(plan('observe', { ...facts(), entries: undefined })).toMatchObject({
      changes: [],
      holds: [{ reason: 'UserTokenUnenforceable' }],
    });
    expect(plan('observe', facts(existing({ meta: {} })))).toMatchObject({
      changes: [],
      holds: [{ reason: 'ForeignObject', detail: expect.stringContaining(NAME) }],
    });
  });

  it('waits for a jwt-provider that differs, and is held where the mode does not change it', () => {
    expect(plan('enforce', facts(different))).toMatchObject({ changes: [], holds: [], awaits: ['main'] });
    expect(plan('extend', facts(different))).toMatchObject({
      changes: [],
      holds: [{ reason: 'ModeForbids', detail: expect.stringContaining('different content') }],
    });
  });

  it('gets no jwt-provider that another writer has, and corrects its own one', () => {
    const of = (...entries: readonly ExistingJwtProvider[]) =>
      planJwtProviders({
        mapping: mapping({ rules, acl: settings() }),
        userTokens: facts(...entries),
        plans: [{ ...plan('enforce', facts()), awaits: ['main', 'unknown'] }],
        isNamed: () => false,
        isRead: () => true,
      }).map(({ verb, name }) => `${verb} ${name}`);
    expect(of()).toEqual([`created ${NAME}`]);
    expect(of(different)).toEqual([`updated ${NAME}`]);
    expect(of(existing())).toEqual([]);
    expect(of({ ...different, meta: {} })).toEqual([]);
  });
});

describe('a change of a jwt-provider', () => {
  const created = { name: NAME, verb: 'created', before: undefined, after: ENTRY } as const;
  const updated = { ...created, verb: 'updated', before: existing({ content: 'other' }) } as const;
  const deleted = { ...created, verb: 'deleted', before: existing(), after: undefined } as const;
  const guarded = (written: ReadonlyMap<string, string> = new Map()) =>
    guardableJwtProviders([created, updated, deleted], written);

  it('opens what waits for it when it is created, and narrows otherwise', () => {
    expect(guarded().plan.changes).toMatchObject([
      { verb: 'created', reason: 'ScopeGranted', widens: true, narrows: false, isInferred: false },
      { verb: 'updated', reason: 'MappingChanged', widens: false, narrows: true, isInferred: false },
      { verb: 'deleted', reason: 'ScopeRevoked', widens: false, narrows: true, isInferred: false },
    ]);
  });

  it('is drift if the last write was the same', () => {
    const reasons = (text: string) =>
      guarded(new Map([[`jwt-provider/${NAME}`, text]])).plan.changes.map(({ reason }) => reason);
    expect(reasons(entryText(ENTRY))).toEqual(['DriftCorrected', 'DriftCorrected', 'ScopeRevoked']);
    expect(reasons(entryText({ ...ENTRY, issuer: 'x' }))).toEqual([
      'ScopeGranted',
      'MappingChanged',
      'ScopeRevoked',
    ]);
  });

  it('is held whole, waits for no client, and is no loss', () => {
    const { losses, keeping, approved, toHold, narrowing, opensLast, plan, contendedText } = guarded();
    const [change] = plan.changes;
    if (change === undefined) throw new Error('no change');
    expect([losses, opensLast, narrowing(change, false)]).toEqual([[], false, undefined]);
    expect(keeping(new Set())).toBe(plan);
    expect(approved(change, new Map())).toBe(change);
    expect(toHold(change, 'Contended', contendedText)).toEqual({
      subject: `jwt-provider/${NAME}`,
      resource: { kind: 'jwt-provider', name: NAME },
      reason: 'Contended',
      detail: expect.stringContaining('another writer repeatedly removes'),
      action: 'change',
      scopes: [],
    });
  });

  it('shows the provider before it and after it', () => {
    const view = { issuer: ISSUER, audiences: ['consul'], jwksUri: KEYS };
    expect(jwtProviderFacts(created)).toEqual({
      action: 'grant',
      reason: 'ScopeGranted',
      resource: { kind: 'jwt-provider', name: NAME },
      before: null,
      after: view,
    });
    expect(jwtProviderFacts(updated)).toMatchObject({ action: 'change', before: { entry: 'other' } });
    expect(jwtProviderFacts(deleted)).toMatchObject({ action: 'revoke', before: view, after: null });
    const more = { ...created, after: { ...ENTRY, caFile: 'ca', forwardHeader: 'x-user' } };
    expect(jwtProviderFacts(more).after).toEqual({ ...view, caFile: 'ca', forwardHeader: 'x-user' });
  });
});
