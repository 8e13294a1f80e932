import { describe, expect, test } from 'vitest';
import { planAclAdoption } from '../../../src/acl/plan/adopt-acl.js';
import { type DesiredAcl, NOTHING_DESIRED } from '../../../src/acl/plan/login.js';
import { because } from './acl-scene.js';
import { AclStore } from './acl-store.js';
import { both, edit, NAME, of, plan, web } from './diff-scene.js';

const byHand = { description: 'by hand' };

/** The desired objects, without any mark. */
function unmarked(change: (store: AclStore) => void = () => {}): AclStore {
  const store = new AclStore();
  store.put(web);
  for (const all of [store.policies, store.roles, store.methods, store.rules])
    edit<{ description: string }>(all as Map<string, { description: string }>, byHand);
  change(store);
  return store;
}

function adopt(store: AclStore, desired: DesiredAcl = web) {
  return planAclAdoption({
    owner: 'pay',
    desired,
    actual: store.snapshot(),
    why: because,
    lastApplied: new Map(),
  });
}

const kinds = (store: AclStore, desired?: DesiredAcl) =>
  adopt(store, desired).map(({ resource }) => resource.kind);

describe('objects that equal the desired ones', () => {
  test('are adopted through a change of their Description, and then nothing is left to do', () => {
    const store = unmarked();
    const changes = adopt(store);
    expect(changes.map(({ resource, verb, reason }) => `${verb} ${resource.kind} ${reason}`)).toEqual([
      'updated acl-policy Adopted',
      'updated acl-role Adopted',
      'updated acl-auth-method Adopted',
      'updated acl-binding-rule Adopted',
    ]);
    expect(changes.some(({ narrows, widens }) => narrows || widens)).toBe(false);
    for (const { before, after } of changes)
      expect({ ...after, description: '' }).toEqual({ ...before, description: '' });
    for (const { step } of changes) store.take(step);
    expect(plan(web, store.snapshot())).toEqual({ changes: [], holds: [] });
  });

  test('stay unchanged if nothing is desired, and if they are already owned', () => {
    expect(kinds(unmarked(), NOTHING_DESIRED)).toEqual([]);
    const ours = new AclStore();
    ours.put(web);
    expect(kinds(ours)).toEqual([]);
  });
});

describe('an object stays unchanged', () => {
  const kept = ['acl-policy', 'acl-role', 'acl-auth-method', 'acl-binding-rule'];
  test.each<readonly [string, string, (store: AclStore) => void]>([
    ['a policy with other rules', 'acl-policy', ({ policies }) => edit(policies, { rules: '{}' })],
    ['a policy that holds more', 'acl-policy', ({ policies }) => edit(policies, { isAltered: true })],
    ['a role of another service', 'acl-role', ({ roles }) => edit(roles, { serviceIdentities: ['vault'] })],
    ['a role without its policies', 'acl-role', ({ roles }) => edit(roles, { policyIds: [] })],
    ['a role that holds more', 'acl-role', ({ roles }) => edit(roles, { isAltered: true })],
    ['a longer lifetime', 'acl-auth-method', ({ methods }) => edit(methods, { maxTokenTtlSeconds: 9000 })],
    [
      'another audience',
      'acl-auth-method',
      ({ methods }) => {
        const config = of(['config:read']).authMethods[0]?.config;
        if (config === undefined) throw new Error('no method is desired');
        edit(methods, { config: { ...config, boundAudiences: ['other'] } });
      },
    ],
    ['a method that holds more', 'acl-auth-method', ({ methods }) => edit(methods, { isAltered: true })],
    ['another selector', 'acl-binding-rule', ({ rules }) => edit(rules, { selector: 'value.x == "y"' })],
    ['a rule that gives another role', 'acl-binding-rule', ({ rules }) => edit(rules, { bindName: 'admin' })],
    [
      'what another instance marked',
      'acl-role',
      ({ roles }) => edit(roles, { description: 'scopemesh:payments' }),
    ],
  ])('%s', (_, kind, change) => {
    expect(kinds(unmarked(change))).toEqual(kept.filter((each) => each !== kind));
  });

  test('a rule beside one of ours that is the same', () => {
    const store = unmarked();
    store.put({ ...NOTHING_DESIRED, bindingRules: web.bindingRules });
    expect(kinds(store)).toEqual(['acl-policy', 'acl-role', 'acl-auth-method']);
  });

  test('a role that the client is to have more than', () => {
    expect(kinds(unmarked(), both)).toEqual(['acl-policy', 'acl-auth-method', 'acl-binding-rule']);
  });

  test('a method whose name differs in case, for Consul could not write it', () => {
    const store = unmarked(({ methods }) => edit(methods, { name: NAME.toUpperCase() }));
    expect(kinds(store)).not.toContain('acl-auth-method');
  });
});
