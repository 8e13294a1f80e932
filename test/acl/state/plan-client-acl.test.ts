import { expect, test } from 'vitest';
import { AclState } from '../../../src/acl/apply/acl-state.js';
import { planClientAcl, planHeldLoss, scopesKey } from '../../../src/acl/state/plan-client-acl.js';
import type { AclSnapshot } from '../../../src/model/acl.js';
import type { OAuthClient } from '../../../src/model/client.js';
import type { Mapping } from '../../../src/model/rule.js';
import type { Evidence } from '../../../src/model/trigger.js';
import { WorldState } from '../../../src/state/world-state.js';
import { claiming, client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { aclRule, READ_CONFIG, settings, WRITE_ORDERS } from '../plan/acl-scene.js';

const WEB = client('web', []);
const NAMELESS = { ...WEB, attributes: {} };
const delegated = { limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' as const } } };
const NOTHING = { policies: [], roles: [], authMethods: [], bindingRules: [] };
const stored = <T>(objects: readonly T[]) =>
  objects.map((object, index) => ({ id: `${index}`, object, isAltered: false, modifyIndex: 1 }));

/** A client that logs in by the name alone, and what is planned after a change. */
function world(others?: AclSnapshot['otherIdentities']) {
  const acl = new AclState();
  const readRoles = (otherIdentities = others) =>
    acl.cache.replaceAll({ ...NOTHING, ...(otherIdentities && { otherIdentities }) }, state.beginRead());
  const of = (changes: Partial<Mapping> = {}) => mapping({ acl: settings({ firstLogin: true }), ...changes });
  const state = new WorldState(of(), SETTINGS);
  const register = (...services: Parameters<typeof claiming>[]) =>
    state.putCatalog(
      {
        services: services.map((each) => claiming(...each)),
        protocols: new Map(),
        defaultProtocol: 'http',
      },
      NOW,
    );
  register();
  readRoles();
  state.putDirectory('main', [WEB], state.beginRead(), NOW);
  const facts = {
    lastApplied: new Map(),
    evidence: [],
    grantReason: 'ScopeGranted',
    plansNarrowing: true,
  } as const;
  const deps = { world: state, acl };
  const made = planClientAcl(WEB, { ...facts, actual: NOTHING }, deps, NOW);
  const { roles, authMethods, bindingRules } = made.desired;
  const actual = {
    policies: [],
    roles: stored(roles),
    authMethods: stored(authMethods),
    bindingRules: stored(bindingRules),
  };
  return {
    made,
    actual,
    state,
    acl,
    register,
    of,
    readRoles,
    planNew: () => planClientAcl(WEB, { ...facts, actual: NOTHING }, deps, NOW),
    plan: (evidence: readonly Evidence[] = []) =>
      planClientAcl(WEB, { ...facts, actual, evidence }, deps, NOW),
    held: () => planHeldLoss(WEB, { ...facts, actual }, deps, NOW),
  };
}

const put = ({ state }: ReturnType<typeof world>, after: OAuthClient) =>
  state.putClient(after, after, state.beginRead());

test('a login by the name alone has a reason of its own, and a registration with the claim changes nothing', () => {
  const it = world();
  expect(new Set(it.made.changes.map(({ reason }) => reason))).toEqual(new Set(['ServiceNamed']));
  expect(it.plan().changes).toEqual([]);
  it.register(['web', 'web']);
  expect(it.plan().changes).toEqual([]);
  it.register();
  it.state.expireGraces(NOW + SETTINGS.claimGraceMs);
  expect(it.plan().changes).toEqual([]);
});

test.each<[string, (it: ReturnType<typeof world>) => void, readonly Evidence[], string, boolean]>([
  [
    'that is only missing from a read counts for the mass guard',
    (it) => put(it, NAMELESS),
    [],
    'ClaimRemoved',
    true,
  ],
  [
    'that an event reports passes it',
    (it) => put(it, NAMELESS),
    [{ provider: 'main', clients: ['web'] }],
    'ClaimRemoved',
    false,
  ],
  [
    'by a registration without the claim passes it',
    (it) => it.register(['web', '']),
    [],
    'ClaimRemoved',
    false,
  ],
  [
    'by a configuration without such logins passes it',
    (it) => it.state.setMapping(it.of({ acl: settings() })),
    [],
    'ClaimRemoved',
    false,
  ],
  [
    'by a configuration counts for it if the client does not name the service any more',
    (it) => {
      put(it, NAMELESS);
      it.state.setMapping(it.of({ acl: settings() }));
    },
    [],
    'ClaimRemoved',
    true,
  ],
  [
    'counts for it again after the service had an instance',
    (it) => {
      it.state.setMapping(it.of({ acl: settings() }));
      it.register(['web', 'web']);
      it.register();
      it.state.expireGraces(NOW + SETTINGS.claimGraceMs);
    },
    [],
    'ClaimRemoved',
    true,
  ],
  [
    'by a kind that must act for a human counts for it',
    (it) => it.state.setMapping(it.of(delegated)),
    [],
    'ActorLimited',
    true,
  ],
])('the loss of such a login %s', (_, change, evidence, reason, isInferred) => {
  const it = world();
  change(it);
  const { changes } = it.plan(evidence);
  expect(changes.length).toBeGreaterThan(0);
  for (const each of changes) expect(each).toMatchObject({ reason, isInferred, narrows: true });
});

test('what the mass guard holds of it stays as it is', () => {
  const it = world();
  put(it, NAMELESS);
  expect(it.held().changes).toEqual([]);
});

test('nobody gains the identity that a role of anybody else has, until no role has it', () => {
  const it = world(new Map([['web', ['by-hand']]]));
  expect(it.made.changes).toEqual([]);
  expect(it.made.holds).toMatchObject([
    { reason: 'ClaimAmbiguous', detail: expect.stringContaining('"by-hand"') },
  ]);
  it.acl.cache.drainHolderChanges();
  it.readRoles(new Map());
  expect([...it.acl.cache.drainHolderChanges()].flatMap(it.state.namersOf)).toEqual([
    { provider: 'main', clientId: 'web' },
  ]);
  expect(it.planNew().changes).not.toEqual([]);
});

test.each([
  ['scopemesh-abc-main-api', true],
  ['scopemesh-zzz-main-api', false],
  ['abc-by-hand', false],
])('who has the identity at the same moment as %s loses it: %s', (other, isLost) => {
  const it = world();
  expect(it.made.changes).not.toEqual([]);
  it.acl.cache.drainHolderChanges();
  it.readRoles(new Map([['web', [other]]]));
  expect([...it.acl.cache.drainHolderChanges()].flatMap(it.state.namersOf)).toHaveLength(1);
  const { changes, holds } = it.plan();
  expect(changes.some(({ narrows }) => narrows)).toBe(isLost);
  for (const each of changes) expect(each).toMatchObject({ reason: 'ClaimRemoved', isInferred: false });
  expect(holds.map(({ reason }) => reason)).toEqual(isLost ? ['ClaimAmbiguous'] : []);
});

test('nobody gains the identity that the role of a client that is gone still has', () => {
  const it = world();
  const role = {
    name: 'scopemesh-pay-main-former',
    description: '',
    policies: [],
    serviceIdentities: ['web'],
  };
  it.acl.cache.replaceAll({ ...NOTHING, roles: stored([role]) }, it.state.beginRead());
  expect(it.planNew().changes).toEqual([]);
  expect(it.planNew().holds).toMatchObject([{ reason: 'ClaimAmbiguous' }]);
  // Who has the login keeps it, and a role of its own is no other.
  expect(it.plan().changes).toEqual([]);
  expect(it.acl.cache.holders('web', 'Scopemesh-pay-main-former')).toEqual([]);
  it.acl.cache.removed('acl-role', role.name, '0', it.state.beginRead());
  expect(it.planNew().changes).not.toEqual([]);
});

test('nobody gains a login before all roles were read', () => {
  const it = world();
  const deps = { world: it.state, acl: new AclState() };
  const facts = {
    lastApplied: new Map(),
    evidence: [],
    grantReason: 'ScopeGranted',
    plansNarrowing: true,
  } as const;
  expect(planClientAcl(WEB, { ...facts, actual: NOTHING }, deps, NOW).changes).toEqual([]);
});

test.each([
  ['keeps a service of which other clients decide', WEB, {}, []],
  ['loses everything if it is gone', undefined, {}, ['acl-auth-method', 'acl-role']],
  ['is not planned without its role', WEB, { roles: [] }, []],
  ['does not get back what is missing', { ...WEB, grantTypes: [] }, { authMethods: [] }, []],
])('a client that was read alone %s', (_, shown, missing, kinds) => {
  const { made, actual } = world();
  const state = new WorldState(mapping({ acl: settings({ firstLogin: true }) }), SETTINGS);
  state.putClient(WEB, shown, state.beginRead());
  const plan = planClientAcl(
    WEB,
    {
      actual: { ...actual, ...missing },
      lastApplied: new Map([[scopesKey(made.subject), '[]']]),
      evidence: [],
      grantReason: 'ScopeGranted',
      plansNarrowing: true,
    },
    { world: state, acl: new AclState() },
    NOW,
  );
  expect(actual.roles).toHaveLength(1);
  expect(new Set(plan.changes.map(({ resource }) => resource.kind))).toEqual(new Set(kinds));
  expect(plan.changes.every(({ narrows }) => narrows)).toBe(true);
});

const RULES = [aclRule('a', READ_CONFIG), aclRule('b', WRITE_ORDERS)];
const SWAPPED = [aclRule('a', 'key_prefix "other/" { policy = "read" }'), aclRule('b', WRITE_ORDERS)];

/** The changes of a client that was read alone, as its objects were made for the scopes `a` and `b`. */
function aloneWith(
  scopes: readonly string[],
  differs: (made: AclSnapshot) => Partial<AclSnapshot> = () => ({}),
  rules = RULES,
) {
  const whole = new WorldState(mapping({ acl: settings(), rules: RULES }), SETTINGS);
  whole.putDirectory('main', [client('web', ['a', 'b'])], whole.beginRead(), NOW);
  const facts = {
    lastApplied: new Map(),
    evidence: [],
    grantReason: 'ScopeGranted',
    plansNarrowing: true,
  } as const;
  const made = planClientAcl(WEB, { ...facts, actual: NOTHING }, { world: whole, acl: new AclState() }, NOW);
  const { policies, roles, authMethods, bindingRules } = made.desired;
  const actual = {
    policies: stored(policies),
    roles: stored(roles),
    authMethods: stored(authMethods),
    bindingRules: stored(bindingRules),
  };
  expect(roles).toMatchObject([{ policies: [expect.anything(), expect.anything()] }]);
  const state = new WorldState(mapping({ acl: settings(), rules }), SETTINGS);
  state.putClient(WEB, client('web', scopes), state.beginRead());
  const plan = planClientAcl(
    WEB,
    {
      ...facts,
      actual: { ...actual, ...differs(actual) },
      lastApplied: new Map([[scopesKey(made.subject), JSON.stringify(made.opensBy)]]),
    },
    { world: state, acl: new AclState() },
    NOW,
  );
  expect(plan.changes.every(({ narrows }) => narrows)).toBe(true);
  const left = plan.changes.map(({ subject, after }) => [
    subject === plan.subject,
    after !== undefined && 'policies' in after && after.policies.length,
  ]);
  return { left, opensBy: plan.opensBy };
}

test.each<[string, (made: AclSnapshot) => Partial<AclSnapshot>]>([
  ['nothing', () => ({})],
  [
    'a longer lifetime',
    ({ authMethods }) => ({
      authMethods: stored(authMethods.map(({ object }) => ({ ...object, maxTokenTtlSeconds: 60 }))),
    }),
  ],
  [
    'another description',
    ({ authMethods }) => ({
      authMethods: stored(
        authMethods.map(({ object }) => ({ ...object, description: `${object.description} (old)` })),
      ),
    }),
  ],
  [
    'another method',
    ({ authMethods }) => ({ authMethods: authMethods.map((each) => ({ ...each, isAltered: true })) }),
  ],
  ['a missing rule', () => ({ bindingRules: [] })],
  [
    'another rule',
    ({ bindingRules }) => ({
      bindingRules: stored(bindingRules.map(({ object }) => ({ ...object, selector: '"x" in value' }))),
    }),
  ],
])('a client that was read alone loses a scope at once beside %s', (_, differs) => {
  expect(aloneWith(['a'], differs)).toEqual({ left: [[true, 1]], opensBy: ['a'] });
});

test('a new mapping takes from a client that was read alone, and does not swap', () => {
  expect(aloneWith(['a', 'b'], undefined, SWAPPED).left).toEqual([]);
  expect(aloneWith(['a', 'b'], undefined, RULES.slice(1)).left).toEqual([[true, 1]]);
  expect(aloneWith(['a'], undefined, SWAPPED).left).toEqual([[true, 0]]);
});

test('a plan names its client by provider, ID and kind alone, whatever the caller knows of it', () => {
  const { made } = world();
  expect(made.client).toEqual({ provider: 'main', clientId: 'web', actorKind: 'workload' });
});
