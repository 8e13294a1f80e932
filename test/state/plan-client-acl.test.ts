import { expect, test } from 'vitest';
import { AclState } from '../../src/apply/acl/acl-state.js';
import type { OAuthClient } from '../../src/model/client.js';
import type { Mapping } from '../../src/model/rule.js';
import type { Evidence } from '../../src/model/trigger.js';
import { planClientAcl, planHeldLoss } from '../../src/state/plan-client-acl.js';
import { WorldState } from '../../src/state/world-state.js';
import { settings } from '../plan/acl/acl-scene.js';
import { claiming, client, mapping, NOW, SETTINGS } from '../plan/scene.js';

const WEB = client('web', []);
const NAMELESS = { ...WEB, attributes: {} };
const delegated = { limits: { ...mapping().limits, workload: { never: [], onBehalfOf: 'human' as const } } };
const NOTHING = { policies: [], roles: [], authMethods: [], bindingRules: [] };
const stored = <T>(objects: readonly T[]) =>
  objects.map((object, index) => ({ id: `${index}`, object, isAltered: false, modifyIndex: 1 }));

/** A client that logs in by the name alone, and what is planned after a change. */
function world() {
  const acl = new AclState();
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
  state.putDirectory('main', [WEB], state.beginRead(), NOW);
  const facts = {
    lastApplied: new Map(),
    evidence: [],
    grantReason: 'ScopeGranted',
    mode: 'enforce',
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
    state,
    register,
    of,
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
