import { describe, expect, test } from 'vitest';
import { hasInferredLoss, objectNamesOf, scopesKey } from '../../../../src/acl/state/plan-client-acl.js';
import { claiming, client } from '../../../plan/scene.js';
import { settings } from '../../plan/acl-scene.js';
import {
  LATER,
  made,
  NOTHING,
  policyOf,
  roleAfter,
  SUBJECT,
  WEB,
  withGrants,
  withRole,
} from '../client-acl-scene.js';

describe('an inferred loss that is held', () => {
  test('leaves the scopes that a read does not show, and takes those that an event names', () => {
    const it = made();
    it.put(withGrants('a'));
    expect(hasInferredLoss(it.plan().changes)).toBe(true);
    expect(it.held()).toMatchObject({ changes: [], opensBy: ['a', 'b'] });
    const of = (provider: string) => ({ evidence: [{ provider, scopes: ['b'] }] });
    expect(it.held(of('other'))).toMatchObject({ changes: [], holds: [] });
    const taken = it.held(of('main'));
    expect(taken).toMatchObject({ opensBy: ['a'] });
    expect(roleAfter(taken)).toMatchObject([{ policies: [policyOf(it, 0)] }]);
  });

  test('does not delay what the client gains', () => {
    const it = made();
    it.put(withGrants('b', 'c'));
    // One of several changes is enough.
    expect(hasInferredLoss(it.plan().changes)).toBe(true);
    const held = it.held();
    expect(held.opensBy).toEqual(['a', 'b', 'c']);
    expect(held.changes.length).toBeGreaterThan(0);
    for (const each of held.changes) expect(each).toMatchObject({ narrows: false, reason: 'ScopeGranted' });
    expect(roleAfter(held).at(-1)).toMatchObject({ policies: { length: 3 } });
  });

  test('narrows nothing if it is not recorded what opened the objects', () => {
    const it = made();
    it.put(withGrants('a'));
    const held = it.held({ lastApplied: new Map() });
    expect(held.changes).toEqual([]);
    expect(held.holds).toMatchObject([{ reason: 'ModeForbids' }]);
  });

  test('of a client that is gone narrows nothing', () => {
    const it = made();
    it.put(undefined);
    const held = it.held();
    expect(held.changes).toEqual([]);
    expect(held.holds.length).toBeGreaterThan(0);
    // The scopes still open what stays.
    expect(held.opensBy).toEqual(['a', 'b']);
  });

  test('leaves a service without an instance, and takes one whose instances claim nothing', () => {
    const who = client('web', ['a', 'b'], { attributes: { 'consul-services': 'web,shop' } });
    const it = made({}, who, [claiming('web', 'web'), claiming('shop', 'web')]);
    it.show(claiming('shop', ''));
    it.state.expireGraces(LATER);
    expect(hasInferredLoss(it.plan({}, LATER).changes)).toBe(true);
    const held = it.held({}, LATER);
    expect(held.changes).toMatchObject([
      { reason: 'ClaimRemoved', isInferred: false, after: { serviceIdentities: ['web'] } },
    ]);
  });

  test('does not leave a login by the name that a configuration ended', () => {
    const who = client('web', ['a', 'b'], { attributes: { 'consul-services': 'web' } });
    const it = made({ acl: settings({ firstLogin: true }) }, who, []);
    it.put({ ...who, grants: [{ name: 'a' }] });
    it.state.setMapping(it.configured({ acl: settings() }));
    const held = it.held();
    expect(roleAfter(held)).toMatchObject([{ serviceIdentities: [], policies: { length: 2 } }]);
  });
});

test('where nothing may be narrowed, lost scopes are recorded beside the new ones, because they still open', () => {
  const it = made();
  it.put(withGrants('c', 'b'));
  const plan = it.plan({ plansNarrowing: false });
  expect(plan.opensBy).toEqual(['a', 'b', 'c']);
  for (const each of plan.changes) expect(each.narrows).toBe(false);
});

test('of a damaged record the texts count, and of anything else nothing', () => {
  const it = made();
  it.put(withGrants('a'));
  const opened = (text: string) =>
    it.plan({ plansNarrowing: false, lastApplied: new Map([[scopesKey(SUBJECT), text]]) }).opensBy;
  expect(opened('["b",7,null]')).toEqual(['a', 'b']);
  expect(opened('{"b":1}')).toEqual(['a']);
});

test('the objects of a client are those of its name, the policies of its scopes and those that its role links', () => {
  const it = made();
  const deps = { world: it.state, acl: it.acl };
  const name = 'scopemesh-pay-main-web';
  const desired = [policyOf(it, 0), policyOf(it, 1)];
  expect(objectNamesOf(WEB, deps)).toEqual({ name, policies: desired });
  const roles = withRole(it, () => ({ policies: [policyOf(it, 1), 'linked'] })).roles;
  it.acl.cache.replaceAll({ ...NOTHING, roles }, it.state.beginRead());
  expect(objectNamesOf(WEB, deps)).toEqual({ name, policies: [...desired, 'linked'] });
  it.put(undefined);
  expect(objectNamesOf(WEB, deps)).toEqual({ name, policies: [policyOf(it, 1), 'linked'] });
});
