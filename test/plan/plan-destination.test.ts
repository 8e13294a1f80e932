import { describe, expect, test } from 'vitest';
import type { Access } from '../../src/model/intention.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { clientText } from '../../src/plan/world.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  inputsOf,
  keyOf,
  mapping,
  NOW,
  named,
  ourSource,
  planOf,
  plansOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
  source,
} from './scene.js';

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'] }] };
const plan = (changes: Partial<Scene> = {}, destination = 'orders') => planOf(scene(changes), destination);
const entries = (...sources: Parameters<typeof source>[]) =>
  entriesOf(entry('orders', ...sources.map((each) => source(...each))));
const ours = (access: Parameters<typeof ourSource>[1] = ALLOW) =>
  entriesOf(entry('orders', ourSource('web', access)));
const gone = { clients: [client('web', [])] };

describe('a source that should have access', () => {
  test('is created with the mark and the client', () => {
    expect(plan().changes).toMatchObject([
      {
        verb: 'created',
        action: 'grant',
        reason: 'ScopeGranted',
        before: undefined,
        after: ALLOW,
        description: 'scopemesh:pay client=main/web',
        scopes: ['orders'],
        isInferred: false,
      },
    ]);
  });
  test('stays unchanged if it is as desired', () => {
    expect(plan({ entries: ours() })).toMatchObject({ changes: [], holds: [] });
  });
  test('is widened and narrowed in place', () => {
    const rules = { mapping: mapping({ rules: [rule('orders', 'orders', { methods: ['GET'] })] }) };
    expect(plan({ ...rules, entries: ours() }).changes).toMatchObject([
      { verb: 'updated', action: 'revoke', after: GET },
    ]);
    expect(plan({ entries: ours(GET) }).changes).toMatchObject([
      { verb: 'updated', action: 'grant', after: ALLOW },
    ]);
  });
  test('gets the sum of what all rules open', () => {
    const rules = [rule('orders', 'orders', { methods: ['GET'] }), rule('*', 'orders', { methods: ['PUT'] })];
    expect(plan({ mapping: mapping({ rules }) }).changes).toMatchObject([
      { after: { kind: 'http', permissions: [{ methods: ['GET', 'PUT'] }] } },
    ]);
  });
  test('gets the Description of a new client even if the access stays', () => {
    const entries = entriesOf(entry('orders', ourSource('web', ALLOW, 'former')));
    expect(plan({ entries }).changes).toMatchObject([
      { verb: 'updated', description: 'scopemesh:pay client=main/web' },
    ]);
  });
  test('is reached in its own namespace only', () => {
    const far = { ...named('orders'), namespace: 'other' };
    const foreign = { ...entry('orders', source('x', ALLOW)), destination: far };
    const all = plansOf(scene({ entries: new Map([['default/other/orders', foreign]]) }));
    expect(all.flatMap(({ key, changes }) => changes.map(() => key))).toEqual([
      { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' },
    ]);
  });
  test('is in the entry whose name differs in case, because Consul keeps only one of the two', () => {
    const upper = { ...entry('Orders', ourSource('web', ALLOW)) };
    expect(plan({ entries: new Map([[keyOf('Orders'), upper]]) }, 'Orders').changes).toEqual([]);
  });
});

describe('a source that should have nothing', () => {
  test('is taken out', () => {
    expect(plan({ ...gone, entries: ours() }).changes).toMatchObject([
      { verb: 'deleted', action: 'revoke', after: undefined },
    ]);
  });
  test.each([
    [
      'any source may reach the destination (8)',
      entriesOf(entry('orders', ourSource('web', ALLOW), source('*', ALLOW))),
    ],
    [
      'it may reach any destination (6)',
      entriesOf(entry('orders', ourSource('web', ALLOW)), entry('*', source('web', GET))),
    ],
    [
      'anything may reach anything (5)',
      entriesOf(entry('orders', ourSource('web', ALLOW)), entry('*', source('*', { kind: 'other' }))),
    ],
  ])('becomes a deny where %s, and stays one', (_, all) => {
    const before = scene({ ...gone, entries: all });
    const first = planOf(before);
    expect(first.changes).toMatchObject([{ verb: 'updated', reason: 'WildcardWouldAllow', after: DENY }]);
    expect(planOf(sceneAfter(before, [first]))).toMatchObject({ changes: [], holds: [] });
  });
  test('loses what a client that was read alone does not have any more, before the directory is read', () => {
    const alone = (scopes: string[], all = ours()) => {
      const web = client('web', scopes);
      const readAlone = new Map([[clientText({ provider: 'main', clientId: 'web' }), web]]);
      return plan({ clients: [web], unread: ['main'], readAlone, entries: all });
    };
    expect(alone([]).changes).toMatchObject([{ verb: 'deleted', reason: 'ScopeRevoked' }]);
    expect(alone(['orders'])).toMatchObject({ changes: [], holds: [] });
    expect(alone(['orders'], ours(GET))).toMatchObject({ changes: [], holds: [] });
    expect(alone(['orders'], new Map())).toMatchObject({ changes: [], holds: [] });
    // What is not understood may be a field of a newer Consul, so the grant that is still there keeps it.
    const unclear = ours({ kind: 'other' });
    expect(alone(['orders'], unclear)).toMatchObject({ changes: [], holds: [] });
    expect(alone([], unclear).changes).toMatchObject([{ verb: 'deleted', reason: 'ScopeRevoked' }]);
  });
  test('is taken out where a more exact deny shields it from a wider allow', () => {
    const all = entriesOf(
      entry('orders', ourSource('web', ALLOW), source('*', DENY)),
      entry('*', source('*', ALLOW)),
    );
    expect(plan({ ...gone, entries: all }).changes).toMatchObject([{ verb: 'deleted' }]);
  });
  test('loses its deny when nothing wider would let it in any more', () => {
    expect(plan({ ...gone, entries: ours(DENY) }).changes).toMatchObject([
      { verb: 'deleted', reason: 'ScopeRevoked' },
    ]);
  });
  test('is overwritten if somebody changed it to something else', () => {
    expect(plan({ ...gone, entries: ours({ kind: 'other' }) }).changes).toMatchObject([
      { verb: 'deleted', action: 'revoke' },
    ]);
  });
});

describe('what is not ours', () => {
  test('is held as ForeignSource if it has the name of a desired source', () => {
    expect(plan({ entries: entries(['web', DENY]) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ForeignSource' }],
    });
  });
  test('is held also under the mark of another owner, or under a name of another case', () => {
    expect(plan({ entries: entries(['web', ALLOW, 'scopemesh:payments']) }).holds).toMatchObject([
      { reason: 'ForeignSource' },
    ]);
    expect(plan({ entries: entries(['WEB', ALLOW]) }).holds).toMatchObject([{ reason: 'ForeignSource' }]);
  });
  test('is ignored if no access is desired there', () => {
    expect(plan({ ...gone, entries: entries(['web', ALLOW]) })).toMatchObject({ changes: [], holds: [] });
  });
  test('is a wildcard, also with our mark, which scopemesh never writes', () => {
    const any = ourSource('*', ALLOW, 'web');
    expect(plan({ ...gone, entries: entriesOf(entry('orders', any)) })).toMatchObject({
      changes: [],
      holds: [],
    });
    const everywhere = { ...gone, entries: entriesOf(entry('*', any, ourSource('web', ALLOW))) };
    expect(plan(everywhere, '*')).toMatchObject({ changes: [], holds: [] });
  });
  test('of a peer does not conflict', () => {
    const all = entriesOf(entry('orders', source('web', ALLOW, 'scopemesh:pay', { peer: 'east' })));
    expect(plan({ entries: all }).changes).toMatchObject([{ verb: 'created' }]);
  });
  test('is held as MarkLost if scopemesh wrote it, also if it should be removed', () => {
    const before = scene();
    const { written } = sceneAfter(before, [planOf(before)]);
    const stripped = { entries: entries(['web', ALLOW]), written };
    expect(plan(stripped)).toMatchObject({ changes: [], holds: [{ reason: 'MarkLost', action: 'grant' }] });
    expect(plan({ ...stripped, ...gone })).toMatchObject({
      changes: [],
      holds: [{ reason: 'MarkLost', action: 'revoke' }],
    });
  });
  test('two services whose names differ in case keep an edge each', () => {
    const clients = [client('web', ['orders']), client('Web', [])];
    const all = entriesOf(entry('orders', ourSource('web', ALLOW), ourSource('Web', ALLOW)));
    const before = scene({
      clients,
      services: [claiming('web', 'web'), claiming('Web', 'Web')],
      entries: all,
    });
    const { changes } = planOf(before);
    expect(changes).toMatchObject([{ verb: 'deleted', source: named('Web') }]);
    const left = sceneAfter(before, [planOf(before)]).entries.get(keyOf('orders'));
    expect(left?.sources.map((each) => each.name)).toEqual(['web']);
  });
});

describe('an entry', () => {
  const managed = { ...entry('orders', ourSource('web', ALLOW)), meta: { 'external-source': 'kubernetes' } };
  const legacy = entry('orders', ourSource('web', ALLOW), source('old', ALLOW, '', { isLegacy: true }));
  test('managed elsewhere is held as a whole', () => {
    expect(plan({ ...gone, entries: entriesOf(managed) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ManagedElsewhere' }],
    });
  });
  test('with sources of the old API is held as a whole', () => {
    expect(plan({ ...gone, entries: entriesOf(legacy) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'LegacyEntry' }],
    });
  });
  test('of either kind is the reason for a foreign source of the same name too', () => {
    const theirs = source('web', ALLOW, '', { isLegacy: true });
    expect(plan({ entries: entriesOf(entry('orders', theirs)) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'LegacyEntry', detail: expect.stringContaining('old intentions API') }],
    });
    const managedWeb = { ...entry('orders', source('web', ALLOW)), meta: managed.meta };
    expect(plan({ entries: entriesOf(managedWeb) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ManagedElsewhere' }],
    });
  });
  test('of either kind is not spoken of where nothing would change', () => {
    expect(plan({ entries: entriesOf(managed) })).toMatchObject({ changes: [], holds: [] });
  });
});

describe('an entry with fields of others', () => {
  const JWT = { Providers: [{ Name: 'ops' }] };
  const theirs = (...sources: Parameters<typeof entry>[1][]) => {
    const plain = entry('orders', ...sources);
    return { ...plain, meta: { team: 'security' }, raw: { ...plain.raw, JWT } };
  };
  const lost = scene({ ...gone, entries: entriesOf(theirs(ourSource('web', ALLOW))) });

  test('keeps its last source as a deny, for the reason of the loss, and that is all', () => {
    const first = planOf(lost);
    expect(first.changes).toMatchObject([
      { verb: 'updated', action: 'revoke', reason: 'ScopeRevoked', after: DENY, scopes: [] },
    ]);
    expect(planOf(sceneAfter(lost, [first]))).toMatchObject({ changes: [], holds: [] });
  });
  test('opens again in place of that deny', () => {
    const closed = sceneAfter(lost, [planOf(lost)]);
    const again = { ...closed, clients: [client('web', ['orders'])] };
    expect(planOf(again).changes).toMatchObject([{ verb: 'updated', action: 'grant', after: ALLOW }]);
    const [open] = sceneAfter(again, [planOf(again)]).entries.values();
    expect(open).toMatchObject({ raw: { JWT }, sources: [{ name: 'web', access: ALLOW }] });
  });
  test('outlives the exchange of its only source for another, and the deny stays', () => {
    const exchanged: Scene = {
      ...lost,
      clients: [client('web', []), client('api', ['orders'])],
      services: [claiming('web', 'web'), claiming('api', 'api')],
    };
    const first = planOf(exchanged);
    expect(first.changes).toMatchObject([
      { source: named('web'), after: DENY },
      { source: named('api'), verb: 'created', after: ALLOW },
    ]);
    const after = sceneAfter(exchanged, [first]);
    expect(after.entries.get(keyOf('orders'))).toMatchObject({ raw: { JWT }, meta: { team: 'security' } });
    expect(planOf(after).changes).toEqual([]);
  });
  test('keeps one source of several that go at once, and none where a foreign one stays', () => {
    const both = {
      clients: [],
      services: [claiming('web', 'web'), claiming('api', 'api')],
    };
    const two = [ourSource('web', ALLOW), ourSource('api', ALLOW)];
    expect(plan({ ...both, entries: entriesOf(theirs(...two)) }).changes).toMatchObject([
      { source: named('api'), after: DENY },
      { source: named('web'), after: undefined },
    ]);
    const denied = [ourSource('web', DENY), ourSource('api', ALLOW), ourSource('job', DENY)];
    expect(plan({ ...both, entries: entriesOf(theirs(...denied)) }).changes).toMatchObject([
      { source: named('api'), after: undefined },
      { source: named('web'), after: undefined },
    ]);
    const three = [...two, source('batch', DENY)];
    expect(plan({ ...both, entries: entriesOf(theirs(...three)) }).changes).toMatchObject([
      { after: undefined },
      { after: undefined },
    ]);
  });
  test('loses its deny where a foreign source keeps it', () => {
    const all = entriesOf(theirs(ourSource('web', DENY), source('batch', ALLOW)));
    expect(plan({ ...gone, entries: all }).changes).toMatchObject([{ verb: 'deleted', after: undefined }]);
  });
  test('has its deny written again where somebody opened it, as drift', () => {
    const closed = sceneAfter(lost, [planOf(lost)]);
    const opened = { ...closed, entries: entriesOf(theirs(ourSource('web', ALLOW))) };
    expect(planOf(opened).changes).toMatchObject([
      { reason: 'DriftCorrected', after: DENY, isInferred: false },
    ]);
  });
  test('goes with its deny once the others took their fields out', () => {
    const bare = { ...gone, entries: entriesOf({ ...entry('orders', ourSource('web', DENY)) }) };
    expect(plan(bare).changes).toMatchObject([{ verb: 'deleted', after: undefined }]);
    const empty = {
      ...entry('orders', ourSource('web', ALLOW)),
      raw: { Name: 'orders', JWT: null, Meta: {} },
    };
    expect(plan({ ...gone, entries: entriesOf(empty) }).changes).toMatchObject([{ verb: 'deleted' }]);
  });
});

describe('access is held', () => {
  const L7 = mapping({ rules: [rule('orders', 'orders', { methods: ['GET'] })] });
  const tcp = { protocols: new Map([['orders', 'tcp' as const]]) };
  test('at a protected destination, and existing access is removed', () => {
    const guarded = {
      mapping: mapping({ rules: [rule('orders', 'orders')], protectedServices: ['orders'] }),
    };
    expect(plan(guarded)).toMatchObject({ changes: [], holds: [{ reason: 'ProtectedDestination' }] });
    expect(plan({ ...guarded, entries: ours() }).changes).toMatchObject([
      { verb: 'deleted', reason: 'ProtectedService', isInferred: false },
    ]);
  });
  test('of a client in quarantine, and opens for that reason when it ends', () => {
    const clientBlocks = new Map([
      [clientText({ provider: 'main', clientId: 'web' }), 'ClientQuarantined' as const],
    ]);
    const held = { reason: 'ClientQuarantined', action: 'grant', scopes: ['orders'] };
    expect(plan({ clientBlocks })).toMatchObject({ changes: [], holds: [held] });
    expect(plan({ clientBlocks, entries: ours() })).toMatchObject({
      changes: [{ verb: 'deleted', reason: 'ClientQuarantined' }],
      holds: [held],
    });
    const [input] = inputsOf(scene());
    if (input === undefined) throw new Error('no destination');
    const openingReasons = new Map([['intention/default/default/orders/web', 'QuarantineEnded'] as const]);
    expect(planDestination({ ...input, openingReasons }).changes).toMatchObject([
      { verb: 'created', reason: 'QuarantineEnded' },
    ]);
    const unconfirmed = new Map([...clientBlocks.keys()].map((id) => [id, 'RevocationUnconfirmed' as const]));
    expect(plan({ clientBlocks: unconfirmed })).toMatchObject({ changes: [], holds: [] });
  });
  test('with methods or paths at a destination that speaks tcp', () => {
    expect(plan({ mapping: L7, ...tcp })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ProtocolUnsuitable' }],
    });
    expect(plan({ ...tcp }).changes).toMatchObject([{ after: ALLOW }]);
  });
  test('where a user is required', () => {
    const user = mapping({ rules: [rule('orders', 'orders', { userRequired: true })] });
    expect(plan({ mapping: user })).toMatchObject({
      changes: [],
      holds: [{ reason: 'UserTokenUnenforceable' }],
    });
  });
  test('where instances of the source disagree, but what it has and may keep stays', () => {
    const web = [client('web', ['orders'], { attributes: { 'consul-services': 'web' } })];
    const disagree = {
      clients: web,
      services: [claiming('web', 'web', 'x')],
      remembered: new Map([
        [keyOf('web'), { provider: 'main', clientId: 'web', lastSeenAt: NOW, since: NOW }],
      ]),
    };
    expect(plan(disagree)).toMatchObject({ changes: [], holds: [{ reason: 'ClaimAmbiguous' }] });
    expect(plan({ ...disagree, entries: ours(GET) })).toMatchObject({
      changes: [],
      holds: [{ reason: 'ClaimAmbiguous' }],
    });
    expect(plan({ ...disagree, mapping: L7, entries: ours() }).changes).toMatchObject([
      { after: GET, action: 'revoke' },
    ]);
  });
});

test('what only narrows is written first, then what exchanges, then what widens, each by name', () => {
  const names = ['a', 'b', 'c', 'd'];
  const clients = names.map((name) => client(name, name === 'c' ? [] : ['orders']));
  const before = scene({
    mapping: mapping({ rules: [rule('orders', 'orders', { methods: ['PUT'] })] }),
    clients,
    services: names.map((name) => claiming(name, name)),
    entries: entriesOf(entry('orders', ourSource('b', GET), ourSource('c', ALLOW), ourSource('d', ALLOW))),
  });
  expect(planOf(before).changes.map((change) => change.source.name)).toEqual(['c', 'd', 'b', 'a']);
});
