import assert from 'node:assert/strict';
import { AclState } from '../../../src/acl/apply/acl-state.js';
import { aclBudget } from '../../../src/acl/job/acl-budget.js';
import { plannedPeople } from '../../../src/acl/state/people-acl.js';
import type { AclRole } from '../../../src/model/acl.js';
import { RevocationWindow } from '../../../src/state/revocation-window.js';
import { WorldState } from '../../../src/state/world-state.js';
import { claiming, client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { loginProvider, READ_CONFIG, settings } from '../plan/acl-scene.js';

const roleOf = (at: number): AclRole => ({
  name: `scopemesh-pay-main-c${at}`,
  description: `scopemesh:pay client=main/c${at}`,
  policies: [],
  serviceIdentities: [`s${at}`],
});

/** A fleet of so many clients with a role each. Returns the work that follows when one client is gone. */
export function aclFleetOf(size: number): () => void {
  const world = new WorldState(mapping({ acl: settings({ login: true }) }), SETTINGS);
  const acl = new AclState();
  const at = Array.from({ length: size }, (_, index) => index);
  const clients = at.map((each) => client(`c${each}`, [], { attributes: { 'consul-services': `s${each}` } }));
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const services = at.map((each) => claiming(`s${each}`, `c${each}`));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const roles = at.map((each) => ({ id: `${each}`, modifyIndex: 1, isAltered: false, object: roleOf(each) }));
  acl.cache.replaceAll({ roles, policies: [], authMethods: [], bindingRules: [] }, world.beginRead());
  const deps = { world, acl, window: new RevocationWindow(600_000) };
  assert.deepEqual(aclBudget(deps, NOW), { owned: size, planned: 0, begun: 0 });
  return () => {
    world.putClient({ provider: 'main', clientId: 'c7' }, undefined, world.beginRead());
    assert.deepEqual(aclBudget(deps, NOW), { owned: size, planned: 1, begun: 0 });
  };
}

/** So many people with a role each. Returns the work that follows when a policy of a client is written. */
export function peopleFleetOf(size: number): () => void {
  const groups = [{ provider: 'main', group: 'oncall', acl: READ_CONFIG }];
  const providers = new Map([['main', loginProvider({ name: 'main' })]]);
  const world = new WorldState(mapping({ acl: settings({ groups, providers }) }), SETTINGS);
  const acl = new AclState();
  const people = Array.from({ length: size }, (_, index) => `p${index}`);
  acl.members.set('main', new Map([['oncall', people]]));
  const deps = { world, acl, window: new RevocationWindow(600_000) };
  const { desired } = plannedPeople('main', deps);
  const stored = <T>(objects: readonly T[]) =>
    objects.map((object, index) => ({ id: `${index}`, modifyIndex: 1, isAltered: false, object }));
  const snapshot = {
    policies: stored(desired.policies),
    roles: stored(desired.roles),
    authMethods: stored(desired.authMethods),
    bindingRules: stored(desired.bindingRules),
  };
  acl.cache.replaceAll(snapshot, world.beginRead());
  // One person left.
  acl.members.set('main', new Map([['oncall', people.slice(1)]]));
  assert.deepEqual(aclBudget(deps, NOW), { owned: size, planned: 1, begun: 0 });
  const object = { name: 'scopemesh-pay-_rules-1', description: 'scopemesh:pay', rules: '{}' };
  return () => {
    const written = { id: '1', modifyIndex: 2, isAltered: false, object };
    acl.cache.wrote({ kind: 'acl-policy', object }, written, world.beginRead());
    assert.deepEqual(aclBudget(deps, NOW), { owned: size, planned: 1, begun: 0 });
  };
}
