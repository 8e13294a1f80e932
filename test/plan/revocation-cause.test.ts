import { describe, expect, test } from 'vitest';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import type { Change } from '../../src/plan/plan.js';
import { clientText } from '../../src/plan/world.js';
import {
  ALLOW,
  claiming,
  client,
  entriesOf,
  entry,
  keyOf,
  mapping,
  NOW,
  named,
  ourSource,
  planOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
} from './scene.js';

/** The one change after `changes` befell a world in which `web` reached `orders` by scope `orders`. */
function afterwards(changes: Partial<Scene>): Change | undefined {
  const before = scene();
  const { entries, written } = sceneAfter(before, [planOf(before)]);
  const { changes: found } = planOf(scene({ entries, written, ...changes }));
  expect(found.length).toBeLessThan(2);
  return found[0];
}

const closed = (clientId: string) =>
  new Map([[clientText({ provider: 'main', clientId }), 'ClientQuarantined' as const]]);
const evidence = { evidence: [{ provider: 'main', clients: ['web'] }] };
const about = (...scopes: string[]) => ({ evidence: [{ provider: 'main', scopes }] });
const without = { clients: [client('web', [])] };
const limited = mapping({
  rules: [rule('orders', 'orders')],
  limits: { human: { never: [] }, workload: { never: ['orders'] }, agent: { never: [] } },
});
const onBehalf = mapping({
  rules: [rule('orders', 'orders')],
  limits: { human: { never: [] }, workload: { never: [] }, agent: { never: [], onBehalfOf: 'human' } },
});
const ofNoKind = { mapping: onBehalf, clients: [client('web', ['orders'], { grantTypes: [] })] };
const remembered = new Map([
  [keyOf('web'), { provider: 'main', clientId: 'web', lastSeenAt: NOW, since: NOW }],
]);
const first = mapping({ rules: [rule('orders', 'orders')], claims: 'first' });
const record = (service: string) => [
  { provider: 'main', clientId: 'web', service: named(service), modifyIndex: 1 },
];
const unread = {
  mapping: first,
  records: record('').map((each) => ({ ...each, unreadableKey: 'its key' })),
};

describe('an edge that goes is explained', () => {
  test.each<[string, Partial<Scene>, string, 'inferred' | 'explicit']>([
    ['by a scope that is missing from a read', without, 'ScopeRevoked', 'inferred'],
    ['by a scope of a client that an event named', { ...without, ...evidence }, 'ScopeRevoked', 'explicit'],
    ['by a scope that an event named', { ...without, ...about('orders') }, 'ScopeRevoked', 'explicit'],
    [
      'by a scope that a read shows at another API alone',
      { clients: [client('web', [], { grants: [{ api: 'b', name: 'orders' }] })] },
      'ScopeRevoked',
      'inferred',
    ],
    [
      'by a scope, where an event named another one only',
      { ...without, ...about('other') },
      'ScopeRevoked',
      'inferred',
    ],
    [
      'by a scope, where an event came from another provider',
      { ...without, evidence: [{ provider: 'x', clients: ['web'], scopes: ['orders'] }] },
      'ScopeRevoked',
      'inferred',
    ],
    [
      'by a client that is disabled',
      { clients: [client('web', ['orders'], { enabled: false })] },
      'ClientDisabled',
      'explicit',
    ],
    ['by a client that is missing from a read', { clients: [] }, 'ClientDeleted', 'inferred'],
    ['by a client that an event said was deleted', { clients: [], ...evidence }, 'ClientDeleted', 'explicit'],
    [
      'by a client that names the service no more',
      { clients: [client('web', ['orders'], { attributes: {} })] },
      'ClaimRemoved',
      'inferred',
    ],
    ['by a removed tag', { services: [claiming('web', '')] }, 'ClaimRemoved', 'explicit'],
    ['by a service that is gone', { services: [] }, 'ClaimRemoved', 'inferred'],
    [
      'by a service that is gone, of a client that is disabled',
      { services: [], clients: [client('web', [], { enabled: false })] },
      'ClientDisabled',
      'explicit',
    ],
    [
      'by a service that is gone, of a client that an event said was deleted',
      { services: [], clients: [], ...evidence },
      'ClientDeleted',
      'explicit',
    ],
    [
      'by a claim on another client',
      {
        services: [claiming('web', 'other')],
        clients: [client('other', [], { attributes: { 'consul-services': 'web' } })],
      },
      'ClaimRemoved',
      'explicit',
    ],
    [
      'by a protected destination',
      { mapping: mapping({ rules: [rule('orders', 'orders')], protectedServices: ['orders'] }) },
      'ProtectedService',
      'explicit',
    ],
    ['by a rule that is gone', { mapping: mapping() }, 'MappingChanged', 'explicit'],
    // The kind is read with the client: an export that lost its attributes would limit everybody at once.
    ['by a limit of the kind of client', { mapping: limited }, 'ActorLimited', 'inferred'],
    [
      'by a limit of the kind of client that an event named',
      { mapping: limited, ...evidence },
      'ActorLimited',
      'explicit',
    ],
    [
      'by a limit of the kind of client that a new file brought',
      { mapping: limited, grantReason: 'MappingChanged' },
      'ActorLimited',
      'explicit',
    ],
    ['by a kind of client that must have a human behind it', ofNoKind, 'ActorLimited', 'inferred'],
    [
      'by such a kind, of a client that an event named',
      { ...ofNoKind, ...evidence },
      'ActorLimited',
      'explicit',
    ],
    [
      'by such a kind, as a new file has it',
      { ...ofNoKind, grantReason: 'MappingChanged' },
      'ActorLimited',
      'explicit',
    ],
    [
      'by a provider that is configured no more',
      {
        mapping: mapping({ rules: [rule('orders', 'orders')], providers: ['other'] }),
        services: [claiming('web', 'web', '')],
        remembered,
      },
      'MappingChanged',
      'explicit',
    ],
    ['by an order', { clientBlocks: closed('web') }, 'ClientQuarantined', 'explicit'],
    [
      'by an order, although the directory is unread',
      { clientBlocks: closed('web'), unread: ['main'] },
      'ClientQuarantined',
      'explicit',
    ],
    [
      'by an order, although the catalog is unread',
      { clientBlocks: closed('web'), isCatalogRead: false },
      'ClientQuarantined',
      'explicit',
    ],
    [
      'by an order, although the service is gone',
      { clientBlocks: closed('web'), services: [] },
      'ClientQuarantined',
      'explicit',
    ],
    [
      'by a claim on a client of an unread provider',
      {
        mapping: mapping({
          providers: ['main', 'b'],
          rules: [rule('orders', 'orders', { provider: 'main' })],
        }),
        unread: ['b'],
        services: [
          {
            ...claiming('web', 'x'),
            instances: [
              {
                id: '1',
                node: 'n',
                kind: '',
                tags: [],
                meta: { 'oauth-client-id': 'x', 'oauth-provider': 'b' },
              },
            ],
          },
        ],
      },
      'ClaimRemoved',
      'explicit',
    ],
    [
      'by a first claim on a client that does not exist',
      { mapping: first, services: [claiming('web', 'nobody')] },
      'ClaimRemoved',
      'explicit',
    ],
    [
      'by a scope, although the claim is not recorded',
      { ...without, mapping: first },
      'ScopeRevoked',
      'inferred',
    ],
    [
      'by a scope, although the record of the claim cannot be read',
      { ...without, ...unread },
      'ScopeRevoked',
      'inferred',
    ],
    [
      'by a client that is disabled, although the record of its claim cannot be read',
      { ...unread, clients: [client('web', [], { enabled: false })] },
      'ClientDisabled',
      'explicit',
    ],
    [
      'by a client that an event names and that is deleted, although the record of its claim cannot be read',
      { ...unread, ...evidence, clients: [] },
      'ClientDeleted',
      'explicit',
    ],
    [
      'by a claim that another service recorded',
      { mapping: first, records: record('api') },
      'ClaimRemoved',
      'explicit',
    ],
  ])('%s', (_, changes, reason, how) => {
    expect(afterwards(changes)).toMatchObject({
      verb: 'deleted',
      action: 'revoke',
      reason,
      isInferred: how === 'inferred',
    });
  });

  test('with the scopes that were lost', () => {
    expect(afterwards(without)?.scopes).toEqual(['orders']);
  });
});

test('evidence about one scope does not make the loss of another explicit', () => {
  const rules = mapping({
    rules: [rule('a', 'orders', { methods: ['GET'] }), rule('b', 'orders', { methods: ['PUT'] })],
  });
  const before = scene({ mapping: rules, clients: [client('web', ['a', 'b'])] });
  const opened = sceneAfter(before, [planOf(before)]);
  const lost = { ...opened, clients: [client('web', [])] };
  expect(planOf({ ...lost, ...about('a') }).changes).toMatchObject([{ isInferred: true }]);
  expect(planOf({ ...lost, ...about('a', 'b') }).changes).toMatchObject([{ isInferred: false }]);
});

describe('a scope revoked at one API', () => {
  const rules = mapping({
    rules: [
      rule('read', 'orders', { api: 'a', methods: ['GET'] }),
      rule('read', 'orders', { api: 'b', methods: ['PUT'] }),
    ],
  });
  const both = { grants: ['a', 'b'].map((api) => ({ api, name: 'read' })) };
  const protocols = new Map([[keyOf('orders'), 'http' as const]]);
  const before = scene({ mapping: rules, clients: [client('web', [], both)], protocols });
  const opened = sceneAfter(before, [planOf(before)]);
  const at = (api: string) => ({ evidence: [{ provider: 'main', api, scopes: ['read'] }] });

  test('is lost although the client still has a scope with that name at another API', () => {
    const one = { ...opened, clients: [client('web', [], { grants: [{ api: 'b', name: 'read' }] })] };
    expect(planOf(one).changes).toMatchObject([
      { reason: 'ScopeRevoked', scopes: ['read'], isInferred: true },
    ]);
    expect(planOf({ ...one, ...at('a') }).changes).toMatchObject([{ isInferred: false }]);
    expect(planOf({ ...one, ...at('b') }).changes).toMatchObject([{ isInferred: true }]);
    expect(planOf({ ...one, ...about('read') }).changes).toMatchObject([{ isInferred: true }]);
  });

  test('does not make the loss of the other one explicit', () => {
    const none = { ...opened, clients: [client('web', [])] };
    expect(planOf({ ...none, ...at('a') }).changes).toMatchObject([{ isInferred: true }]);
    const combined = { evidence: [...at('a').evidence, ...at('b').evidence] };
    expect(planOf({ ...none, ...combined }).changes).toMatchObject([{ isInferred: false }]);
  });

  test('says nothing of one of that name at another API where nothing is remembered', () => {
    const forgotten = { ...opened, clients: [client('web', [])], written: new Map() };
    expect(planOf({ ...forgotten, ...at('c') }).changes).toMatchObject([{ isInferred: true }]);
    expect(planOf({ ...forgotten, ...at('b') }).changes).toMatchObject([{ isInferred: false }]);
  });
});

test('if nothing is recorded, evidence about a scope that could have opened the edge makes its loss explicit', () => {
  const entries = entriesOf(entry('orders', ourSource('web', ALLOW)));
  expect(planOf(scene({ ...without, entries, ...about('orders') })).changes).toMatchObject([
    { isInferred: false },
  ]);
  expect(planOf(scene({ ...without, entries, ...about('unmapped') })).changes).toMatchObject([
    { isInferred: true },
  ]);
});

describe('an edge stays as it is', () => {
  test.each<[string, Partial<Scene>]>([
    ['while the directory is unread', { clients: [], unread: ['main'] }],
    ['while the catalog is unread', { services: [], isCatalogRead: false, clients: [] }],
    ['while its claim is not recorded yet', { mapping: first }],
    ['while the record of its claim cannot be read', unread],
    ['within the grace of a service without instances', { services: [claiming('web')], remembered }],
  ])('%s', (_, changes) => {
    expect(afterwards(changes)).toBeUndefined();
  });
});

describe('drift', () => {
  test('is what differs from what was written although nothing else changed', () => {
    const before = scene();
    const { written } = sceneAfter(before, [planOf(before)]);
    expect(planOf(scene({ written })).changes).toMatchObject([{ verb: 'created', reason: 'DriftCorrected' }]);
    const tampered = entriesOf(
      entry('orders', ourSource('web', { kind: 'http', permissions: [{ methods: ['GET'] }] })),
    );
    expect(planOf(scene({ written, entries: tampered })).changes).toMatchObject([
      { reason: 'DriftCorrected', after: ALLOW },
    ]);
  });
  test('of an edge that was taken away is undone without the mass guard', () => {
    const opened = sceneAfter(scene(), [planOf(scene())]);
    const closedScene = { ...opened, ...without };
    const { written } = sceneAfter(closedScene, [planOf(closedScene)]);
    const back = { ...closedScene, written, entries: opened.entries };
    expect(planOf(back).changes).toMatchObject([
      { verb: 'deleted', reason: 'DriftCorrected', isInferred: false },
    ]);
  });
  test('is not what an identity provider change explains', () => {
    const opened = sceneAfter(scene(), [planOf(scene())]);
    expect(planOf({ ...opened, ...without }).changes).toMatchObject([{ reason: 'ScopeRevoked' }]);
  });
});

describe('at an entry whose name differs in case', () => {
  const upper = { entries: new Map([[keyOf('Orders'), entry('Orders', ourSource('web', ALLOW))]]) };
  const subject = 'intention/default/default/Orders/web';
  const at = (changes: Partial<Scene>, ...opensBy: readonly string[]) =>
    planOf(
      scene({ ...upper, written: new Map([[subject, toLastAppliedText(ALLOW, opensBy)]]), ...changes }),
      'Orders',
    ).changes;
  const guarded = mapping({ rules: [rule('orders', 'orders')], protectedServices: ['orders'] });

  test('a protected destination is the cause there too', () => {
    expect(at({ mapping: guarded }, 'orders')).toMatchObject([
      { reason: 'ProtectedService', isInferred: false, after: undefined },
    ]);
    expect(at({ mapping: guarded })).toMatchObject([{ reason: 'ProtectedService', isInferred: false }]);
  });

  test('a kind that must act for a human now is the cause there too', () => {
    expect(at(ofNoKind, 'orders')).toMatchObject([{ reason: 'ActorLimited', isInferred: true }]);
  });

  test('a named scope that reaches the destination is evidence there too', () => {
    expect(at({ ...without, ...about('orders') })).toMatchObject([
      { reason: 'ScopeRevoked', isInferred: false },
    ]);
    expect(at({ ...without, ...about('billing') })).toMatchObject([{ isInferred: true }]);
  });
});
