import { describe, expect, it } from 'vitest';
import { AclCache, isPeoplesName } from '../../../src/acl/state/acl-cache.js';
import type { AclAuthMethod, AclRole, AclSnapshot, Stored } from '../../../src/model/acl.js';

const NAME = 'scopemesh-pay-main-web';
const MARK = 'scopemesh:pay client=main/web';
const stored = <T>(id: string, object: T, modifyIndex = 1): Stored<T> => ({
  id,
  object,
  modifyIndex,
  isAltered: false,
});
const role = (changes: Partial<AclRole> = {}): AclRole => ({
  name: NAME,
  description: MARK,
  policies: ['rules'],
  serviceIdentities: ['web'],
  ...changes,
});
const method: AclAuthMethod = {
  name: NAME,
  description: MARK,
  maxTokenTtlSeconds: 60,
  config: { boundAudiences: [], signingAlgorithms: [], claimMappings: {}, listClaimMappings: {} },
};
const rule = {
  description: MARK,
  authMethod: NAME,
  bindType: 'role',
  bindName: NAME,
  selector: 'x',
} as const;
const policy = { name: 'rules', description: MARK, rules: '{}' };
const snapshot = (changes: Partial<AclSnapshot> = {}): AclSnapshot => ({
  policies: [stored('p', policy)],
  roles: [stored('r', role())],
  authMethods: [stored(NAME, method)],
  bindingRules: [stored('b', rule)],
  ...changes,
});
const NONE: AclSnapshot = { policies: [], roles: [], authMethods: [], bindingRules: [] };
const filled = () => {
  const cache = new AclCache();
  cache.replaceAll(snapshot(), 1);
  cache.drainChanged();
  cache.drainHolderChanges();
  return cache;
};

describe('a complete read of ACL objects', () => {
  it('is found by name in any case, and returns what changed', () => {
    const cache = new AclCache();
    expect([cache.isComplete, cache.of(NAME)]).toEqual([false, { bindingRules: [] }]);
    expect([...cache.replaceAll(snapshot(), 1)]).toEqual([NAME]);
    expect(cache.isComplete).toBe(true);
    expect(cache.of(NAME.toUpperCase())).toMatchObject({
      role: { id: 'r' },
      authMethod: {},
      bindingRules: [{ id: 'b' }],
    });
    expect([...cache.drainChanged()]).toEqual([NAME]);
    expect([...cache.drainChanged()]).toEqual([]);
    expect(cache.snapshot([NAME.toUpperCase()], ['RULES'])).toEqual(snapshot());
    expect(cache.snapshot(['other'], ['other'])).toEqual(NONE);
  });

  it('changes nothing if only the index or the order of keys differs', () => {
    const cache = filled();
    const turned = Object.fromEntries(Object.entries(role()).toReversed()) as unknown as AclRole;
    expect([...cache.replaceAll(snapshot({ roles: [stored('r', turned, 9)] }), 2)]).toEqual([]);
    expect([...cache.drainChanged()]).toEqual([]);
    expect([
      ...cache.replaceAll(snapshot({ roles: [stored('r', role({ policies: ['other'] }))] }), 3),
    ]).toEqual([NAME]);
  });

  it('forgets what is gone, and names the roles whose policy changed', () => {
    const cache = filled();
    const text = snapshot({ policies: [stored('p', { ...policy, rules: '{"a":1}' })] });
    expect([...cache.replaceAll(text, 2)]).toEqual([NAME]);
    expect([...cache.drainChanged()]).toEqual([]);
    expect([...cache.replaceAll(NONE, 3)]).toEqual([NAME]);
    expect([cache.owned.size, cache.policies.size]).toEqual([0, 0]);
  });

  it('names no role whose policies stay, and one of which a single policy changed', () => {
    const cache = new AclCache();
    const roles = [['none'], ['rules', 'more'], ['more']].map((policies, at) =>
      stored(`${at}`, role({ name: `role-${at}`, policies })),
    );
    const of = (rules: string) => snapshot({ roles, policies: [stored('p', { ...policy, rules })] });
    cache.replaceAll(of('{}'), 1);
    expect([...cache.replaceAll(of('{"a":1}'), 2)]).toEqual(['role-1']);
  });

  it('shows a rule whose auth method and role are gone', () => {
    const cache = filled();
    cache.replaceAll(snapshot({ roles: [], authMethods: [] }), 2);
    expect(cache.of(NAME).bindingRules).toHaveLength(1);
  });

  it('never undoes a newer one of everything or of a name', () => {
    const cache = filled();
    expect([...cache.replaceAll(NONE, 0)]).toEqual([]);
    expect(cache.owned.size).toBe(1);
    cache.put([NAME], ['rules'], snapshot({ roles: [] }), 5);
    expect([...cache.replaceAll(snapshot({ policies: [] }), 4)]).toEqual([]);
    expect(cache.of(NAME).role).toBeUndefined();
    expect(cache.policies.size).toBe(1);
    cache.put([NAME], ['rules'], snapshot(), 3);
    expect(cache.of(NAME).role).toBeUndefined();
  });

  it('shows its roles to the first listener until it is complete', () => {
    const seen: string[] = [];
    const cache = new AclCache((roles) => seen.push(...roles.map(({ name }) => name)));
    const of = (name: string) => snapshot({ roles: [stored('r', role({ name }))] });
    cache.put(['a'], [], of('a'), 1);
    cache.replaceAll(of('b'), 2);
    cache.replaceAll(of('c'), 3);
    cache.put(['d'], [], of('d'), 4);
    expect(seen).toEqual(['a', 'b']);
  });
});

describe('a write of an ACL object', () => {
  it('replaces the object of its kind and name alone', () => {
    const cache = new AclCache();
    const read = 1;
    cache.wrote({ kind: 'acl-role', object: role() }, stored('r', undefined), read);
    cache.wrote({ kind: 'acl-auth-method', object: method }, stored(NAME, undefined), read + 1);
    cache.wrote({ kind: 'acl-binding-rule', object: rule }, stored('b', undefined), read + 2);
    cache.wrote(
      { kind: 'acl-binding-rule', object: { ...rule, selector: 'y' } },
      stored('c', undefined),
      read + 3,
    );
    cache.wrote(
      { kind: 'acl-binding-rule', object: { ...rule, selector: 'z' } },
      stored('b', undefined),
      read + 4,
    );
    cache.wrote({ kind: 'acl-policy', object: policy }, stored('p', undefined), read);
    expect(cache.snapshot([NAME], ['rules'])).toEqual(
      snapshot({
        bindingRules: [stored('c', { ...rule, selector: 'y' }), stored('b', { ...rule, selector: 'z' })],
      }),
    );
  });

  it('is not undone by a read that began before', () => {
    const cache = filled();
    cache.wrote({ kind: 'acl-role', object: role({ policies: [] }) }, stored('r', undefined), 9);
    cache.put([NAME], [], snapshot(), 8);
    expect(cache.of(NAME).role?.object.policies).toEqual([]);
    cache.wrote({ kind: 'acl-policy', object: { ...policy, rules: 'new' } }, stored('p', undefined), 9);
    cache.put([], ['rules'], snapshot(), 8);
    expect(cache.policies.get('rules')?.object.rules).toBe('new');
  });

  it('of a deletion takes that object, and the rules of an auth method with it', () => {
    const without = (kind: 'acl-role' | 'acl-auth-method' | 'acl-binding-rule', id: string) => {
      const cache = filled();
      cache.removed(kind, NAME.toUpperCase(), id, 2);
      const { role: left, authMethod, bindingRules } = cache.of(NAME);
      return [left?.id, authMethod?.id, bindingRules.map((each) => each.id)];
    };
    expect(without('acl-role', 'r')).toEqual([undefined, NAME, ['b']]);
    expect(without('acl-auth-method', NAME)).toEqual(['r', undefined, []]);
    expect(without('acl-binding-rule', 'b')).toEqual(['r', NAME, []]);
    expect(without('acl-binding-rule', 'x')).toEqual(['r', NAME, ['b']]);
    const cache = filled();
    cache.removed('acl-policy', 'RULES', 'p', 2);
    expect(cache.policies.size).toBe(0);
    cache.removed('acl-role', NAME, 'r', 3);
    cache.removed('acl-auth-method', NAME, NAME, 4);
    expect(cache.owned.size).toBe(0);
  });
});

describe('the holders of an identity', () => {
  it('are the roles that have it, of any owner, except one', () => {
    const cache = new AclCache();
    const other = role({ name: 'scopemesh-pay-main-api' });
    cache.replaceAll(
      snapshot({
        roles: [stored('r', role()), stored('s', other)],
        otherIdentities: new Map([['web', ['a-role']]]),
      }),
      1,
    );
    expect(cache.holders('web', '')).toEqual(['a-role', 'scopemesh-pay-main-api', NAME]);
    expect(cache.holders('web', NAME.toUpperCase())).toEqual(['a-role', 'scopemesh-pay-main-api']);
    expect(cache.holders('api', '')).toEqual([]);
  });

  it('change where a role loses it or one of others changes, and not where one gains it', () => {
    const cache = filled();
    cache.put([NAME], [], snapshot({ roles: [stored('r', role({ serviceIdentities: ['web', 'api'] }))] }), 2);
    expect([...cache.drainHolderChanges()]).toEqual([]);
    cache.put([NAME], [], snapshot({ roles: [stored('r', role({ serviceIdentities: ['api'] }))] }), 3);
    expect([...cache.drainHolderChanges()]).toEqual(['web']);
    expect([...cache.drainHolderChanges()]).toEqual([]);
    expect([cache.holders('web', ''), cache.holders('api', '')]).toEqual([[], [NAME]]);
    const others = (...names: readonly string[]) =>
      snapshot({
        roles: [stored('r', role({ serviceIdentities: ['api'] }))],
        otherIdentities: new Map([['db', names]]),
      });
    cache.replaceAll(others('x'), 4);
    expect([...cache.drainHolderChanges()]).toEqual(['db']);
    cache.replaceAll(others('x'), 5);
    expect([...cache.drainHolderChanges()]).toEqual([]);
    cache.replaceAll({ ...others(), otherIdentities: new Map() }, 6);
    expect([...cache.drainHolderChanges()]).toEqual(['db']);
  });
});

describe('what is in Consul', () => {
  it('is marked only by name and Description together', () => {
    const holds = (changes: Partial<AclSnapshot>, owner = 'pay') => {
      const cache = new AclCache();
      cache.replaceAll({ ...NONE, ...changes }, 1);
      return cache.holdsMarked(owner);
    };
    const ours = { ...policy, name: 'scopemesh-pay-_rules' };
    expect(holds({ roles: [stored('r', role())] })).toBe(true);
    expect(holds({ authMethods: [stored(NAME, method)] })).toBe(true);
    expect(holds({ policies: [stored('p', ours)] })).toBe(true);
    expect(holds({ roles: [stored('r', role({ description: '' }))] })).toBe(false);
    expect(holds({ policies: [stored('p', policy)] })).toBe(false);
    expect(holds({ roles: [stored('r', role())] }, 'other')).toBe(false);
    expect(holds({})).toBe(false);
  });

  it('of people has a version that only they increase, and no policy', () => {
    const cache = filled();
    const before = cache.peoplesVersion;
    cache.put([NAME], ['rules'], snapshot({ roles: [] }), 2);
    expect(cache.peoplesVersion).toBe(before);
    cache.put([], ['rules'], NONE, 3);
    expect(cache.peoplesVersion).toBe(before);
    const name = 'scopemesh-pay-main-_person-1';
    cache.put([name], [], { ...NONE, roles: [stored('q', role({ name }))] }, 4);
    expect(cache.peoplesVersion).toBe(before + 1);
    expect([isPeoplesName(name.toUpperCase()), isPeoplesName('x-_people'), isPeoplesName(NAME)]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
