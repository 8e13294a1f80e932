import { AclState } from '../../../src/acl/apply/acl-state.js';
import { type AclChange, aclSubject, digestObject, nameOf } from '../../../src/acl/plan/acl-change.js';
import { objectsOf } from '../../../src/acl/plan/login.js';
import { type ClientAclFacts, planClientAcl, planHeldLoss } from '../../../src/acl/state/plan-client-acl.js';
import type { AclRole, AclSnapshot } from '../../../src/model/acl.js';
import type { OAuthClient } from '../../../src/model/client.js';
import type { Mapping } from '../../../src/model/rule.js';
import { WorldState } from '../../../src/state/world-state.js';
import { claiming, client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { aclRule, READ_CONFIG, settings, WRITE_ORDERS } from '../plan/acl-scene.js';

const RULES = [
  aclRule('a', READ_CONFIG),
  aclRule('b', WRITE_ORDERS),
  aclRule('c', 'key_prefix "other/" { policy = "read" }'),
];
export const NOTHING: AclSnapshot = { policies: [], roles: [], authMethods: [], bindingRules: [] };
export const WEB = client('web', ['b', 'a']);
export const SUBJECT = 'acl-role/scopemesh-pay-main-web';
export const LATER = NOW + SETTINGS.claimGraceMs;
export const stored = <T>(objects: readonly T[]) =>
  objects.map((object, index) => ({ id: `${index}`, object, isAltered: false, modifyIndex: 1 }));

/** A client whose objects are as they should be, by a claim of the service `web` or by the name alone. */
export function made(of: Partial<Mapping> = {}, who: OAuthClient = WEB, services = [claiming('web', 'web')]) {
  const configured = (changes: Partial<Mapping> = {}) =>
    mapping({ acl: settings(), rules: RULES, ...of, ...changes });
  const acl = new AclState();
  const start = (world: WorldState) => {
    acl.cache.replaceAll(NOTHING, world.beginRead());
    return world;
  };
  const state = start(new WorldState(configured(), SETTINGS));
  const show = (...all: typeof services) =>
    state.putCatalog({ services: all, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  show(...services);
  state.putDirectory('main', [who], state.beginRead(), NOW);
  const facts: ClientAclFacts = {
    actual: NOTHING,
    lastApplied: new Map(),
    evidence: [],
    grantReason: 'ScopeGranted',
    plansNarrowing: true,
  };
  const id = { provider: who.provider, clientId: who.clientId };
  const first = planClientAcl(id, facts, { world: state, acl }, NOW);
  const { policies, roles, authMethods, bindingRules } = first.desired;
  const actual = {
    policies: stored(policies),
    roles: stored(roles),
    authMethods: stored(authMethods),
    bindingRules: stored(bindingRules),
  };
  const lastApplied = new Map([
    [`${SUBJECT} scopes`, JSON.stringify(first.opensBy)],
    // Another client's job created the policies.
    ...objectsOf(first.desired)
      .filter(({ kind }) => kind !== 'acl-policy')
      .map((each): [string, string] => [aclSubject(each.kind, ...nameOf(each)), digestObject(each)]),
  ]);
  const all = { ...facts, actual, lastApplied };
  return {
    state,
    acl,
    configured,
    show,
    first,
    actual,
    lastApplied,
    put: (after: OAuthClient | undefined) => state.putClient(who, after, state.beginRead()),
    plan: (changes: Partial<ClientAclFacts> = {}, now = NOW, world = state) =>
      planClientAcl(id, { ...all, ...changes }, { world, acl }, now),
    held: (changes: Partial<ClientAclFacts> = {}, now = NOW) =>
      planHeldLoss(id, { ...all, ...changes }, { world: state, acl }, now),
    /** A world that knows nothing but the configuration. */
    unread: (changes: Partial<Mapping> = {}) => new WorldState(configured(changes), SETTINGS),
  };
}

export const withRole = (
  { actual }: ReturnType<typeof made>,
  change: (role: AclRole) => Partial<AclRole>,
) => ({
  ...actual,
  roles: stored(actual.roles.map(({ object }) => ({ ...object, ...change(object) }))),
});
export const NAMED = { evidence: [{ provider: 'main', clients: ['web'] }] };
export const withGrants = (...names: readonly string[]) => ({
  ...WEB,
  grants: names.map((name) => ({ name })),
});
export const policyOf = (it: ReturnType<typeof made>, at: number) =>
  it.first.desired.policies[at]?.name ?? '';
export const roleAfter = ({ changes }: { readonly changes: readonly AclChange[] }) =>
  changes.flatMap(({ resource, after }) => (resource.kind === 'acl-role' ? [after] : []));
