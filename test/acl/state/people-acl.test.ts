import { describe, expect, test } from 'vitest';
import { AclState } from '../../../src/acl/apply/acl-state.js';
import { aclSubject, digestObject, nameOf } from '../../../src/acl/plan/acl-change.js';
import { type DesiredAcl, objectsOf } from '../../../src/acl/plan/login.js';
import {
  admittedPeople,
  cachedPeople,
  knownMembers,
  peoplesNames,
  plannedPeople,
  policiesOfPeople,
  providersOfPeople,
} from '../../../src/acl/state/people-acl.js';
import type { AclRole, AclSnapshot } from '../../../src/model/acl.js';
import { formatKey, providerKey } from '../../../src/model/key.js';
import type { Mapping } from '../../../src/model/rule.js';
import { peopleName, personName } from '../../../src/plan/object-names.js';
import { WorldState } from '../../../src/state/world-state.js';
import { mapping, SETTINGS } from '../../plan/scene.js';
import { loginProvider, READ_CONFIG, settings, WRITE_ORDERS } from '../plan/acl-scene.js';

const PROVIDERS = ['main', 'extra'];
const ONCALL = { provider: 'main', group: 'oncall', acl: READ_CONFIG };
const OPS = { provider: 'main', group: 'ops', acl: WRITE_ORDERS };
const EXTRA = { provider: 'extra', group: 'staff', acl: READ_CONFIG };
const MAIN_KEY = formatKey(providerKey('main'));
const METHOD = peopleName('pay', 'main');
const ANN = personName('pay', 'main', 'ann', 'oncall');
const BEN = personName('pay', 'main', 'ben', 'oncall');
const NOTHING: AclSnapshot = { policies: [], roles: [], authMethods: [], bindingRules: [] };
const stored = <T>(objects: readonly T[], from = 0) =>
  objects.map((object, index) => ({ id: `${from + index}`, object, isAltered: false, modifyIndex: 1 }));
const snapshotOf = ({ policies, roles, authMethods, bindingRules }: DesiredAcl): AclSnapshot => ({
  policies: stored(policies),
  roles: stored(roles),
  authMethods: stored(authMethods),
  bindingRules: stored(bindingRules),
});

function people(groups = [ONCALL], changes: Partial<Mapping> = {}) {
  const providers = new Map(PROVIDERS.map((name) => [name, loginProvider({ name })]));
  const configured = (of: typeof groups, other: Partial<Mapping> = changes) =>
    mapping({ providers: PROVIDERS, acl: settings({ groups: of, providers }), ...other });
  const world = new WorldState(configured(groups), SETTINGS);
  const acl = new AclState();
  const deps = { world, acl };
  const store = (snapshot: AclSnapshot) => acl.cache.replaceAll(snapshot, world.beginRead());
  return {
    ...deps,
    configured,
    store,
    read: (members: Readonly<Record<string, readonly string[]>>, provider = 'main') =>
      acl.members.set(provider, new Map(Object.entries(members))),
    known: (provider = 'main') => knownMembers(provider, deps),
    plan: (provider = 'main') => plannedPeople(provider, deps),
    names: (provider = 'main') => new Set(peoplesNames(provider, deps)),
    policies: (provider = 'main') => policiesOfPeople(provider, deps),
    providers: () => providersOfPeople(deps),
    /** Everything that the plan wants exists. */
    carryOut: (provider = 'main') => {
      const { desired } = plannedPeople(provider, deps);
      store(snapshotOf(desired));
      return desired;
    },
  };
}

const rolesIn = ({ changes }: ReturnType<typeof plannedPeople>) =>
  changes.flatMap(({ resource, verb, before, after }) =>
    resource.kind === 'acl-role' ? `${verb} ${(before ?? after)?.description.split(' ')[1]}` : [],
  );

describe('the members of the mapped groups', () => {
  test('are known when each group of the provider was read', () => {
    const it = people([ONCALL, OPS, EXTRA]);
    expect(it.known()).toBeUndefined();
    it.read({ oncall: ['ann'] });
    expect(it.known()).toBeUndefined();
    it.read({ oncall: ['ann'], ops: [] });
    expect(it.known()).toEqual(
      new Map([
        ['oncall', ['ann']],
        ['ops', []],
      ]),
    );
    expect(it.known('extra')).toBeUndefined();
  });
});

describe('the plan of people by what was read last', () => {
  test('adds members, is empty when they exist, and removes who left', () => {
    const it = people();
    it.read({ oncall: ['ann', 'ben'] });
    const first = it.plan();
    expect(first).toMatchObject({ isUnknown: false, holds: [] });
    expect(new Set(first.changes.map(({ reason }) => reason))).toEqual(new Set(['MembershipAdded']));
    expect(rolesIn(first).toSorted()).toEqual(['created person=main/ann', 'created person=main/ben']);
    it.carryOut();
    expect(it.plan().changes).toEqual([]);
    it.read({ oncall: ['ann'] });
    const { changes, inferred } = it.plan();
    expect([...inferred]).toEqual([[BEN, { subject: 'ben', group: 'oncall' }]]);
    expect(changes.length).toBeGreaterThan(0);
    for (const each of changes)
      expect(each).toMatchObject({ reason: 'MembershipRemoved', isInferred: true, narrows: true });
    expect(rolesIn(it.plan())).toEqual(['deleted person=main/ben']);
  });

  test('removes nobody and adds nobody while the members are unknown, but removes a group that is not configured', () => {
    const it = people([ONCALL, OPS]);
    it.read({ oncall: ['ann'], ops: ['ben'] });
    it.carryOut();
    it.acl.members.delete('main');
    expect(it.plan()).toMatchObject({ isUnknown: true, changes: [], holds: [{ reason: 'IncompleteRead' }] });
    it.world.setMapping(it.configured([ONCALL]));
    expect(rolesIn(it.plan())).toEqual(['deleted person=main/ben']);
  });

  test('is of a mode that only observes what it would be if it wrote, and of one that extends without removals', () => {
    const it = people();
    it.read({ oncall: ['ann'] });
    it.carryOut();
    it.read({ oncall: ['ben'] });
    const lost = () => it.plan().changes.filter(({ narrows }) => narrows);
    const enforced = it.plan();
    expect(lost()).not.toEqual([]);
    it.world.setMapping(it.configured([ONCALL], { mode: 'observe' }));
    expect(it.plan().changes).toEqual(enforced.changes);
    it.world.setMapping(it.configured([ONCALL], { mode: 'extend' }));
    expect(lost()).toEqual([]);
    expect(rolesIn(it.plan())).toEqual(['created person=main/ben']);
  });

  test('corrects what somebody changed since the last write as such', () => {
    const it = people();
    it.read({ oncall: ['ann'] });
    const desired = it.carryOut();
    const altered: readonly AclRole[] = desired.roles.map((role) => ({
      ...role,
      policies: [...role.policies, 'by-hand'],
    }));
    it.store({ ...snapshotOf(desired), roles: stored(altered) });
    expect(it.plan().changes).toMatchObject([{ reason: 'MappingChanged' }]);
    const written = objectsOf(desired).map((each): [string, string] => [
      aclSubject(each.kind, ...nameOf(each)),
      digestObject(each),
    ]);
    it.world.rememberWritten(MAIN_KEY, new Map(written));
    expect(it.plan().changes).toMatchObject([{ reason: 'DriftCorrected' }]);
  });
});

describe('the people who have access', () => {
  test('are those with a role and a rule that binds it', () => {
    const it = people([ONCALL, OPS]);
    it.read({ oncall: ['ann', 'ben'], ops: ['ann'] });
    const desired = it.carryOut();
    const admitted = () =>
      new Map([...admittedPeople('main', it)].map(([group, subjects]) => [group, subjects.toSorted()]));
    expect(admitted()).toEqual(
      new Map([
        ['oncall', ['ann', 'ben']],
        ['ops', ['ann']],
      ]),
    );
    const bindingRules = stored(desired.bindingRules).filter(({ object }) => object.bindName !== BEN);
    it.store({ ...snapshotOf(desired), bindingRules });
    expect(admitted().get('oncall')).toEqual(['ann']);
    expect(admittedPeople('extra', it)).toEqual(new Map());
  });
});

describe('the objects of people', () => {
  const role = (name: string, description: string): AclRole => ({
    name,
    description,
    policies: [],
    serviceIdentities: [],
  });

  test('are the auth method, what its rules bind, and every role of a person, no matter who wrote these', () => {
    const it = people();
    expect(it.names()).toEqual(new Set([METHOD]));
    it.read({ oncall: ['ann'] });
    const desired = it.carryOut();
    expect(it.names()).toEqual(new Set([METHOD, ANN]));
    const byHand = desired.bindingRules.map((each) => ({ ...each, bindName: 'By-Hand' }));
    const others = [
      // A person's name without the mark.
      role(BEN.toUpperCase(), 'mine'),
      role('By-Hand', ''),
      role(personName('pay', 'extra', 'ann', 'staff'), 'scopemesh:pay person=extra/ann group=staff'),
      role(personName('else', 'main', 'ann', 'oncall'), 'scopemesh:else person=main/ann group=oncall'),
      role('scopemesh-pay-main-web', 'scopemesh:pay client=main/web'),
    ];
    const snapshot = {
      ...snapshotOf(desired),
      roles: [...stored(desired.roles), ...stored(others, 10)],
      bindingRules: [...stored(desired.bindingRules), ...stored(byHand, 10)],
    };
    it.store(snapshot);
    expect(it.names()).toEqual(new Set([METHOD, ANN, BEN, 'by-hand']));
    expect(it.names('extra')).toEqual(
      new Set([peopleName('pay', 'extra'), personName('pay', 'extra', 'ann', 'staff')]),
    );
    expect(new Set(cachedPeople('main', it).roles.map(({ object }) => object.name))).toEqual(
      new Set([ANN, BEN.toUpperCase(), 'By-Hand']),
    );
    expect(cachedPeople('main', it)).toMatchObject({
      policies: snapshot.policies,
      authMethods: snapshot.authMethods,
      bindingRules: snapshot.bindingRules,
    });
    it.store(NOTHING);
    expect(it.names()).toEqual(new Set([METHOD]));
  });

  test('have the policies of all mapped groups of their provider, no matter who is a member', () => {
    const it = people([ONCALL, OPS, EXTRA]);
    const expected = it.policies();
    expect(new Set(expected).size).toBe(2);
    expect(it.policies('extra')).toHaveLength(1);
    it.read({ oncall: ['ann'], ops: [] });
    expect(it.policies()).toEqual(expected);
    expect(it.plan().desired.policies.every(({ name }) => expected.includes(name))).toBe(true);
    it.world.setMapping(it.configured([ONCALL, OPS, EXTRA], { providers: ['extra'] }));
    expect([it.policies(), it.policies('extra').length]).toEqual([[], 1]);
    it.world.setMapping(it.configured([]));
    expect(it.policies('extra')).toEqual([]);
  });
});

describe('the providers with people', () => {
  test('are those with mapped groups and those whose objects exist, each once and in order', () => {
    const it = people([ONCALL, EXTRA]);
    expect(it.providers()).toEqual(['extra', 'main']);
    it.read({ oncall: ['ann'] });
    const desired = it.carryOut();
    expect(it.providers()).toEqual(['extra', 'main']);
    it.world.setMapping(it.configured([]));
    expect(it.providers()).toEqual(['main']);
    // Also one that is not configured any more, by the role or by the method alone.
    it.world.setMapping(it.configured([], { providers: ['extra'] }));
    expect(it.providers()).toEqual(['main']);
    it.store({ ...snapshotOf(desired), authMethods: [], bindingRules: [] });
    expect(it.providers()).toEqual(['main']);
    it.store({ ...NOTHING, authMethods: stored(desired.authMethods) });
    expect(it.providers()).toEqual(['main']);
    const client = { name: 'scopemesh-pay-main-web', description: 'scopemesh:pay client=main/web' };
    it.store({ ...NOTHING, roles: stored([{ ...client, policies: [], serviceIdentities: [] }]) });
    expect(it.providers()).toEqual([]);
  });

  test('are also those for which a job is about to write', async () => {
    const it = people([]);
    await it.acl.whileUnderWay(MAIN_KEY, async () => expect(it.providers()).toEqual(['main']));
    expect(it.providers()).toEqual([]);
  });
});
