import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Access, IntentionEntry } from '../../src/model/intention.js';
import { toPlainPathRegex } from '../../src/model/plain-path.js';
import { NO_USER_TOKEN_FACTS } from '../../src/plan/destination-input.js';
import {
  type JwtProviderChange,
  namedIn,
  planJwtProviders,
  providersNamedBy,
  providersWrittenBy,
} from '../../src/plan/plan-jwt-providers.js';
import { loginProvider, settings } from '../acl/plan/acl-scene.js';
import { runsOf } from '../support/soak.js';
import {
  ALLOW,
  client,
  entriesOf,
  entry,
  keyOf,
  mapping,
  ourSource,
  planOf,
  plansOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
  source,
} from './scene.js';
import { ENTRY, existing, facts, NAME } from './user-token-scene.js';
import { someScene } from './worlds.js';

const USER = mapping({ rules: [rule('orders', 'orders', { userRequired: true })], acl: settings() });
const withUser = (...claims: readonly { path: readonly string[]; value: string }[]): Access => ({
  kind: 'http',
  permissions: [{ pathPrefix: '/', jwt: { provider: NAME, verifyClaims: claims } }],
});
const plan = (changes: Partial<Scene>) => planOf(scene({ mapping: USER, userTokens: facts(), ...changes }));

describe("a rule that requires a user's token", () => {
  test('opens with the requirement if the jwt-provider exists', () => {
    expect(plan({ userTokens: facts(existing()) })).toMatchObject({
      changes: [{ verb: 'created', action: 'grant', after: withUser() }],
      holds: [],
    });
  });

  test('keeps its methods and paths, each with the requirement', () => {
    const rules = [rule('orders', 'orders', { userRequired: true, methods: ['POST'], path: '/v1' })];
    const { changes } = plan({ mapping: { ...USER, rules }, userTokens: facts(existing()) });
    const jwt = { provider: NAME, verifyClaims: [] };
    expect(changes).toMatchObject([
      {
        after: {
          kind: 'http',
          permissions: [
            { methods: ['POST'], pathRegex: toPlainPathRegex({ kind: 'path', text: '/v1' }), jwt },
          ],
        },
      },
    ]);
  });

  test('opens nothing where the provider has scopes in a list, in which Consul finds none', () => {
    const provider = loginProvider({ scopes: { claim: ['permissions'], isList: true } });
    const acl = settings({ providers: new Map([['main', provider]]) });
    expect(plan({ mapping: { ...USER, acl }, userTokens: facts(existing()) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'UserTokenUnenforceable', detail: expect.stringContaining('permissions') }],
    });
  });

  test('asks of an agent for its own client, and for a token that it got to act for a person', () => {
    const agents = {
      ...USER,
      rules: [rule('orders', 'orders')],
      classify: [{ clientId: '*', kind: 'agent' as const }],
      limits: { ...USER.limits, agent: { never: [], onBehalfOf: 'human' as const } },
    };
    expect(plan({ mapping: agents, userTokens: facts(existing()) }).changes).toMatchObject([
      { after: withUser({ path: ['act', 'sub'], value: 'web' }, { path: ['azp'], value: 'web' }) },
    ]);
  });

  test('waits for the jwt-provider without a hold, and opens nothing until it exists', () => {
    expect(plan({})).toEqual({
      key: { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' },
      changes: [],
      holds: [],
      awaits: ['main'],
    });
  });

  test.each<[string, Partial<Scene>, string]>([
    ['an older agent', { userTokens: { ...facts(), laxAgents: ['1.15.3'] } }, 'UserTokenUnenforceable'],
    [
      'a terminating gateway of the destination',
      { userTokens: { ...facts(existing()), behindGateways: new Set(['orders']) } },
      'UserTokenUnenforceable',
    ],
    [
      'a terminating gateway of everything',
      { userTokens: { ...facts(existing()), behindGateways: new Set(['*']) } },
      'UserTokenUnenforceable',
    ],
    [
      'gateways that are not known',
      { userTokens: { ...facts(existing()), behindGateways: undefined } },
      'UserTokenUnenforceable',
    ],
    ['an older Consul', { userTokens: { ...facts(), consulVersion: '1.14.11' } }, 'UserTokenUnenforceable'],
    [
      'a Consul of unknown version',
      { userTokens: { ...facts(), consulVersion: undefined } },
      'UserTokenUnenforceable',
    ],
    [
      'a provider whose keys are not known',
      { userTokens: { ...facts(), jwksUris: new Map() } },
      'UserTokenUnenforceable',
    ],
    [
      'jwt-providers that were not read',
      { userTokens: { ...facts(), entries: undefined } },
      'UserTokenUnenforceable',
    ],
    [
      'a destination that speaks tcp',
      { protocols: new Map([['orders', 'tcp' as const]]) },
      'UserTokenUnenforceable',
    ],
    [
      'a provider without audience',
      {
        mapping: {
          ...USER,
          acl: settings({ providers: new Map([['main', loginProvider({ audience: undefined })]]) }),
        },
      },
      'UserTokenUnenforceable',
    ],
    [
      'a provider that is not configured',
      { mapping: { ...USER, acl: settings({ providers: new Map() }) } },
      'UserTokenUnenforceable',
    ],
    [
      "somebody else's entry of that name",
      { userTokens: facts(existing({ meta: {}, content: 'other' })) },
      'ForeignObject',
    ],
  ])('is held with %s, and stays closed', (_, changes, reason) => {
    expect(plan(changes)).toMatchObject({ changes: [], holds: [{ reason, scopes: ['orders'] }] });
  });

  test('removes the earlier access without a user, in one write', () => {
    const entries = entriesOf(entry('orders', ourSource('web', ALLOW)));
    expect(plan({ entries, userTokens: facts(existing()) }).changes).toMatchObject([
      { action: 'revoke', narrows: true, widens: false, before: ALLOW, after: withUser() },
    ]);
    expect(plan({ entries }).changes).toMatchObject([{ action: 'revoke', before: ALLOW, after: undefined }]);
  });

  test('that is dropped gives the free access in one write', () => {
    const free = { ...USER, rules: [rule('orders', 'orders')] };
    const entries = entriesOf(entry('orders', ourSource('web', withUser())));
    expect(plan({ mapping: free, entries, userTokens: facts(existing()) }).changes).toMatchObject([
      { action: 'grant', before: withUser(), after: ALLOW },
    ]);
  });

  test('of which another claim is asked now is neither wider nor narrower, and is one write', () => {
    const entries = entriesOf(entry('orders', ourSource('web', withUser({ path: ['azp'], value: 'old' }))));
    const provider = loginProvider({ person: { claim: ['idtyp'], equals: 'user' } });
    const acl = settings({ providers: new Map([['main', provider]]) });
    expect(plan({ mapping: { ...USER, acl }, entries, userTokens: facts(existing()) }).changes).toMatchObject(
      [{ action: 'change', narrows: true, widens: true }],
    );
  });

  test('is kept where our entry says where the keys are and the provider cannot be asked', () => {
    const entries = entriesOf(entry('orders', ourSource('web', withUser())));
    const silent = { ...facts(existing()), jwksUris: new Map() };
    expect(plan({ entries, userTokens: silent })).toMatchObject({ changes: [], holds: [] });
  });

  test('awaits a moved key set, and what is open stays open meanwhile', () => {
    const entries = entriesOf(entry('orders', ourSource('web', withUser())));
    const moved = { ...facts(existing()), jwksUris: new Map([['main', 'https://elsewhere/certs']]) };
    expect(plan({ entries, userTokens: moved })).toMatchObject({ changes: [], awaits: ['main'] });
  });
});

describe('for any world', () => {
  const users: fc.Arbitrary<Scene> = someScene.map((it) => ({
    ...it,
    mapping: { ...it.mapping, rules: it.mapping.rules.map((each) => ({ ...each, userRequired: true })) },
  }));
  const opensFreely = (access: Access | { readonly kind: 'other' } | undefined) =>
    access?.kind === 'allow' ||
    (access?.kind === 'http' && access.permissions.some(({ jwt }) => jwt === undefined));

  test('nothing owned opens without a token, for all known facts about Consul and the provider', () => {
    fc.assert(
      fc.property(users, (it) => {
        for (const change of plansOf(it).flatMap((each) => each.changes))
          expect(opensFreely(change.after)).toBe(false);
      }),
      runsOf(150, 50),
    );
  });

  test('no change names a jwt-provider that does not exist as desired', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        for (const change of plansOf(it).flatMap((each) => each.changes))
          for (const name of providersWrittenBy(change)) {
            const found = it.userTokens.entries?.get(name);
            const isKept =
              change.before?.kind === 'http' && providersWrittenBy({ after: change.before }).includes(name);
            expect(isKept || (found !== undefined && found.content !== 'other')).toBe(true);
          }
      }),
      runsOf(300, 100),
    );
  });

  test('unknown facts remove no existing access with the requirement', () => {
    fc.assert(
      fc.property(users, fc.constantFrom('version', 'keys', 'entries', 'gateways'), (it, what) => {
        const known = sceneAfter(
          { ...it, userTokens: facts(existing()) },
          plansOf({ ...it, userTokens: facts(existing()) }),
        );
        const unknown = {
          ...known,
          userTokens: {
            consulVersion: what === 'version' ? undefined : '1.16.1',
            laxAgents: [],
            jwksUris: what === 'keys' ? new Map() : facts().jwksUris,
            behindGateways: what === 'gateways' ? undefined : new Set<string>(),
            entries: what === 'keys' ? new Map() : what === 'entries' ? undefined : facts(existing()).entries,
          },
        };
        const changes = plansOf(unknown).flatMap((each) => each.changes);
        // A denial that nobody needs may go.
        expect(changes.filter(({ narrows, widens }) => narrows || widens)).toEqual([]);
      }),
      runsOf(150, 50),
    );
  });

  test('no entry that an intention names is deleted, and foreign ones never change', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        const changes = providerPlan(it);
        for (const change of changes) {
          if (change.before !== undefined)
            expect(change.before.meta).toMatchObject({ scopemesh: 'scopemesh:pay' });
          if (change.verb !== 'deleted') continue;
          const named = [...it.entries.values()].flatMap(providersNamedBy);
          expect(named).not.toContain(change.name);
        }
      }),
      runsOf(150, 50),
    );
  });

  test('once the entries are written nothing more is awaited, and the plan after that is empty', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        let now = it;
        for (let round = 0; round < 4; round++) {
          now = afterProviders(now, providerPlan(now));
          now = sceneAfter(now, plansOf(now));
        }
        expect(plansOf(now).flatMap((each) => each.changes)).toEqual([]);
        expect(plansOf(now).flatMap((each) => each.awaits ?? [])).toEqual([]);
        expect(providerPlan(now)).toEqual([]);
      }),
      runsOf(150, 50),
    );
  });
});

describe('the jwt-provider of a provider', () => {
  const awaiting = scene({ mapping: USER, userTokens: facts() });

  test('is created once a destination awaits it', () => {
    expect(providerPlan(awaiting)).toEqual([
      { name: NAME, verb: 'created', before: undefined, after: ENTRY },
    ]);
  });

  test('is not created for a protected destination, which would never use it', () => {
    const protectedServices = ['orders'];
    const it = { ...awaiting, mapping: { ...USER, protectedServices } };
    expect(providerPlan(it)).toEqual([]);
    expect(plansOf(it).flatMap(({ holds }) => holds)).toMatchObject([{ reason: 'ProtectedDestination' }]);
  });

  test('is mended where it differs, and only in mode enforce', () => {
    const drifted = existing({ content: { ...ENTRY, audiences: [] } });
    const it = { ...awaiting, userTokens: facts(drifted) };
    expect(providerPlan(it)).toEqual([{ name: NAME, verb: 'updated', before: drifted, after: ENTRY }]);
    expect(providerPlan({ ...it, mapping: { ...USER, mode: 'extend' } })).toEqual([]);
    expect(providerPlan({ ...it, mapping: { ...USER, mode: 'observe' } })).toEqual([]);
  });

  test('is deleted when nothing names it any more, unless something is unknown or it is foreign', () => {
    const idle = { ...awaiting, clients: [client('web', [])], userTokens: facts(existing()) };
    expect(providerPlan(idle)).toMatchObject([{ name: NAME, verb: 'deleted' }]);
    expect(providerPlan({ ...idle, unread: ['main'] })).toEqual([]);
    expect(providerPlan({ ...idle, mapping: { ...USER, mode: 'extend' } })).toEqual([]);
    for (const meta of [{}, { scopemesh: 'scopemesh:payments' }])
      expect(providerPlan({ ...idle, userTokens: facts(existing({ meta, content: 'other' })) })).toEqual([]);
  });

  test('of a provider that is no longer configured is deleted too', () => {
    const meta = { scopemesh: 'scopemesh:pay', 'scopemesh-provider': 'gone' };
    const name = 'scopemesh-pay-gone-_users';
    const it = { ...awaiting, userTokens: facts(existing(), existing({ name, meta, content: 'other' })) };
    expect(providerPlan(it)).toMatchObject([{ name, verb: 'deleted' }]);
  });

  test.each<[string, IntentionEntry]>([
    ['a foreign permission', entry('orders', source('x', withUser()))],
    [
      'a foreign permission that scopemesh cannot read',
      entry(
        'orders',
        source('x', { kind: 'other' }, '', {
          raw: { Permissions: [{ JWT: { Providers: [{ Name: 'a' }, { Name: NAME }] } }] },
        }),
      ),
    ],
    [
      'a foreign entry as a whole',
      { ...entry('orders', source('x', ALLOW)), raw: { JWT: { Providers: [{ Name: NAME }] } } },
    ],
  ])('stays while %s names it', (_, named) => {
    const idle = {
      ...awaiting,
      clients: [],
      userTokens: facts(existing()),
      entries: new Map([[keyOf('orders'), named]]),
    };
    expect(providerPlan(idle)).toEqual([]);
  });

  test('stays unchanged while nothing is known', () => {
    expect(providerPlan({ ...awaiting, userTokens: NO_USER_TOKEN_FACTS })).toEqual([]);
  });
});

function providerPlan(it: Scene): readonly JwtProviderChange[] {
  return planJwtProviders({
    mapping: it.mapping,
    userTokens: it.userTokens,
    plans: plansOf(it),
    isNamed: namedIn(it.entries.values()),
    isRead: (provider) => !it.unread.includes(provider),
  });
}

/** A tiny Consul again. */
function afterProviders(it: Scene, changes: readonly JwtProviderChange[]): Scene {
  const entries = new Map(it.userTokens.entries);
  for (const { name, after } of changes) {
    if (after === undefined) entries.delete(name);
    else entries.set(name, { name, meta: after.meta, content: after, modifyIndex: 9 });
  }
  return it.userTokens.entries === undefined ? it : { ...it, userTokens: { ...it.userTokens, entries } };
}
