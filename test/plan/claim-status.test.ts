import { describe, expect, test } from 'vitest';
import type { CatalogService } from '../../src/model/catalog.js';
import { type ClaimStatus, statedClaim } from '../../src/plan/claim-status.js';
import { planClient } from '../../src/plan/plan-client.js';
import {
  claiming,
  client,
  keyOf,
  mapping,
  NOW,
  named,
  type Scene,
  SETTINGS,
  scene,
  worldOf,
} from './scene.js';
import { claimStatuses } from './whole-world.js';

function standingOf(changes: Partial<Scene>, service = 'web'): ClaimStatus | undefined {
  const it = scene(changes);
  return claimStatuses(worldOf(it), it.mapping, SETTINGS).get(keyOf(service));
}

const remembered = (agoMs: number, clientId = 'web', service = 'web') =>
  new Map([[keyOf(service), { provider: 'main', clientId, lastSeenAt: NOW - agoMs, since: NOW }]]);
const instanceOf = (service: CatalogService, changes: object): CatalogService => ({
  ...service,
  instances: service.instances.map((instance) => ({ ...instance, ...changes })),
});

describe('with confirmed claims a service', () => {
  test('has its client where the client names it', () => {
    expect(standingOf({})).toEqual({
      kind: 'claimed',
      service: named('web'),
      client: { provider: 'main', clientId: 'web' },
      addNothing: false,
    });
  });
  test.each<[string, Partial<Scene>, Partial<ClaimStatus>]>([
    [
      'is refused where the client does not name it',
      { clients: [client('web', [], { attributes: {} })] },
      { kind: 'refused', reason: 'ClaimUnconfirmed' } as Partial<ClaimStatus>,
    ],
    [
      'is refused where the client names it in another case',
      { clients: [client('web', [], { attributes: { 'consul-services': 'Web' } })] },
      { kind: 'refused' },
    ],
    ['is refused where there is no such client', { clients: [] }, { kind: 'refused' }],
    [
      'is refused where it names a provider that is not configured, with what to correct',
      {
        services: [
          instanceOf(claiming('web', 'web'), {
            meta: { 'oauth-client-id': 'web', 'oauth-provider': 'gone' },
          }),
        ],
      },
      {
        kind: 'refused',
        client: { provider: 'gone', clientId: 'web' },
        reason: 'ClaimUnconfirmed',
        detail:
          'no identity provider with this name is configured; correct the claim in Consul, or configure the provider',
      } as Partial<ClaimStatus>,
    ],
    ['is not judged while the directory is unread', { unread: ['main'] }, { kind: 'unknown' }],
    [
      'claims nothing without a tag',
      { services: [claiming('web', '')] },
      { kind: 'none', vanished: false } as Partial<ClaimStatus>,
    ],
    [
      'has its client as an ingress gateway',
      { services: [instanceOf(claiming('web', 'web'), { kind: 'ingress-gateway' })] },
      { kind: 'claimed', addNothing: false } as Partial<ClaimStatus>,
    ],
    [
      'has its client as an API gateway',
      { services: [instanceOf(claiming('web', 'web'), { kind: 'api-gateway' })] },
      { kind: 'claimed' },
    ],
    [
      'gains nothing where a gateway of its name claims another client',
      {
        services: [
          {
            ...claiming('web', 'web'),
            instances: [
              ...claiming('web', 'web').instances,
              ...instanceOf(claiming('web', 'other'), { kind: 'ingress-gateway' }).instances,
            ],
          },
        ],
      },
      { kind: 'refused', reason: 'ClaimAmbiguous' } as Partial<ClaimStatus>,
    ],
    [
      'keeps its claim beside a gateway of its name that claims nothing',
      {
        services: [
          {
            ...claiming('web', 'web'),
            instances: [
              ...claiming('web', 'web').instances,
              ...instanceOf(claiming('web', ''), { kind: 'ingress-gateway' }).instances,
            ],
          },
        ],
      },
      { kind: 'claimed', addNothing: false } as Partial<ClaimStatus>,
    ],
    [
      'loses its claim where only a gateway of its name is left that claims nothing',
      { services: [instanceOf(claiming('web', ''), { kind: 'ingress-gateway' })], remembered: remembered(0) },
      { kind: 'none', vanished: false } as Partial<ClaimStatus>,
    ],
    [
      'keeps the old claim and adds nothing where instances disagree',
      { services: [claiming('web', 'web', 'other')], remembered: remembered(0) },
      { kind: 'claimed', addNothing: true } as Partial<ClaimStatus>,
    ],
    [
      'keeps the old claim where one instance lacks the tag',
      { services: [claiming('web', 'web', '')], remembered: remembered(0) },
      { kind: 'claimed', addNothing: true } as Partial<ClaimStatus>,
    ],
    [
      'is ambiguous where instances disagree and nothing is remembered',
      { services: [claiming('web', 'web', 'other')] },
      { kind: 'refused', reason: 'ClaimAmbiguous' } as Partial<ClaimStatus>,
    ],
    [
      'keeps its claim within the grace after its last instance',
      { services: [claiming('web')], remembered: remembered(299_999) },
      { kind: 'claimed', addNothing: false } as Partial<ClaimStatus>,
    ],
    [
      'keeps it also when it is no more in the catalog',
      { services: [], remembered: remembered(299_999) },
      { kind: 'claimed' },
    ],
    [
      'has vanished after the grace',
      { services: [], remembered: remembered(300_000) },
      { kind: 'none', vanished: true } as Partial<ClaimStatus>,
    ],
    [
      'gets nothing from a remembered claim that the client no longer confirms',
      { services: [], remembered: remembered(0), clients: [client('web', [], { attributes: {} })] },
      { kind: 'refused' },
    ],
    [
      'is not judged before the catalog was read, however old its memory',
      { isCatalogRead: false, remembered: remembered(9_999_999) },
      { kind: 'unknown' },
    ],
  ])('%s', (_, changes, expected) => {
    expect(standingOf(changes)).toMatchObject(expected);
  });

  test('whose remembered provider is configured no more is refused, not kept forever', () => {
    const services = [claiming('web', 'web', 'other')];
    const old = new Map([[keyOf('web'), { provider: 'gone', clientId: 'web', lastSeenAt: NOW, since: NOW }]]);
    expect(standingOf({ services, remembered: old })).toMatchObject({
      kind: 'refused',
      reason: 'ClaimUnconfirmed',
    });
  });

  test.each(['*', 'a b', 'web"', 'x\n', 'ｗｅｂ', '-x', 'a/b', '__proto__', 'x'.repeat(129), 'web$(x)'])(
    'named %j is never a source',
    (name) => {
      const clients = [client('web', ['orders'], { attributes: { 'consul-services': name } })];
      const services = [claiming(name, 'web')];
      expect(standingOf({ clients, services }, name)).toMatchObject({
        kind: 'refused',
        reason: 'InvalidServiceName',
      });
    },
  );
});

describe('an instance', () => {
  const stated = (service: CatalogService, providers = ['main']) => statedClaim(service, SETTINGS, providers);
  test('of a sidecar, terminating gateway or mesh gateway never claims', () => {
    for (const kind of ['connect-proxy', 'mesh-gateway', 'terminating-gateway'])
      expect(stated(instanceOf(claiming('web', 'web'), { kind }))).toEqual({ kind: 'vacant' });
  });
  test('may claim by a tag', () => {
    expect(stated(instanceOf(claiming('web', ''), { tags: ['a', 'oauth-client=x'] }))).toEqual({
      kind: 'client',
      client: { provider: 'main', clientId: 'x' },
    });
  });
  test('whose tag and meta disagree states several clients', () => {
    expect(stated(instanceOf(claiming('web', 'web'), { tags: ['oauth-client=x'] })).kind).toBe('several');
  });
  test('counts in any order: of several clients the same one is named', () => {
    const [a, b] = [claiming('web', 'a', 'b'), claiming('web', 'b', 'a')];
    expect(stated(a)).toEqual(stated(b));
  });
  test('must name the provider where several are configured', () => {
    expect(stated(claiming('web', 'web'), ['main', 'other']).kind).toBe('several');
    const meta = { 'oauth-client-id': 'web', 'oauth-provider': 'other' };
    expect(stated(instanceOf(claiming('web', 'web'), { meta }), ['main', 'other'])).toEqual({
      kind: 'client',
      client: { provider: 'other', clientId: 'web' },
    });
  });
  test('that names a provider that is not configured is not clear', () => {
    const meta = { 'oauth-client-id': 'web', 'oauth-provider': 'evil' };
    expect(stated(instanceOf(claiming('web', 'web'), { meta })).kind).toBe('several');
  });
  test('does not claim by what objects inherit', () => {
    const settings = { ...SETTINGS, clientMeta: 'constructor' };
    expect(statedClaim(claiming('web', ''), settings, ['main'])).toEqual({ kind: 'nothing' });
  });
});

describe('with first claims', () => {
  const first = { mapping: mapping({ claims: 'first' }) };
  const record = (service: string) => [
    { provider: 'main', clientId: 'web', service: named(service), modifyIndex: 3 },
  ];
  const plan = (changes: Partial<Scene>) => {
    const it = scene({ ...first, ...changes });
    const world = worldOf(it);
    return planClient(
      { provider: 'main', clientId: 'web' },
      world,
      [...claimStatuses(world, it.mapping, SETTINGS).values()].filter(
        (each) => each.kind !== 'none' && each.client.provider === 'main' && each.client.clientId === 'web',
      ),
      it.mapping,
    );
  };

  test('the service of the record has the client, and another one is held as ClaimTaken', () => {
    const both = {
      ...first,
      services: [claiming('api', 'web'), claiming('web', 'web')],
      records: record('web'),
    };
    expect(standingOf(both)).toMatchObject({ kind: 'claimed' });
    expect(standingOf(both, 'api')).toMatchObject({ kind: 'refused', reason: 'ClaimTaken' });
  });
  test('the record is of one service: not of a service with its name in another namespace or partition', () => {
    for (const place of [{ namespace: 'other' }, { partition: 'other' }]) {
      const records = record('web').map((each) => ({ ...each, service: { ...named('web'), ...place } }));
      expect(standingOf({ ...first, records })).toMatchObject({ kind: 'refused', reason: 'ClaimTaken' });
    }
  });
  test('a record that cannot be read gives no access, is not replaced and is not deleted', () => {
    const records = record('web').map((each) => ({
      ...each,
      service: named(''),
      unreadableKey: 'its key',
    }));
    for (const service of ['web', 'api'])
      expect(standingOf({ ...first, services: [claiming(service, 'web')], records }, service)).toMatchObject({
        kind: 'unrecorded',
        addNothing: false,
        unreadableKey: 'its key',
      });
    for (const services of [[claiming('web', '')], [claiming('web', 'web')]])
      expect(plan({ records, services })).toMatchObject({ create: undefined, remove: undefined, holds: [] });
  });

  test('the first service by name is recorded, and nothing before that', () => {
    const services = [claiming('web', 'web'), claiming('api', 'web')];
    expect(standingOf({ ...first, services })).toMatchObject({ kind: 'unrecorded' });
    expect(plan({ services }).create).toEqual(named('api'));
  });
  test('a service that is remembered longer to claim the client comes before the first by name', () => {
    const services = [claiming('web', 'web'), claiming('api', 'web')];
    const claim = { provider: 'main', clientId: 'web', lastSeenAt: NOW };
    const since = (api: number, web: number, clientId = 'web') =>
      new Map([
        [keyOf('api'), { ...claim, since: api }],
        [keyOf('web'), { ...claim, clientId, since: web }],
      ]);
    expect(plan({ services, remembered: since(NOW, NOW - 1) }).create).toEqual(named('web'));
    expect(plan({ services, remembered: since(NOW, NOW) }).create).toEqual(named('api'));
    expect(plan({ services, remembered: since(NOW, 0, 'another') }).create).toEqual(named('api'));
  });
  test('a client that the provider does not know is refused, not left unrecorded forever', () => {
    expect(standingOf({ ...first, clients: [] })).toMatchObject({
      kind: 'refused',
      reason: 'ClaimUnconfirmed',
    });
    expect(plan({ clients: [] }).create).toBeUndefined();
  });
  test('a service whose instances disagree is not recorded', () => {
    const services = [claiming('web', 'web', 'other')];
    expect(plan({ services, remembered: remembered(0) }).create).toBeUndefined();
  });
  test('the record of a service that claims no more is taken back', () => {
    expect(plan({ records: record('web'), services: [claiming('web', '')] }).remove).toEqual(
      record('web')[0],
    );
    expect(plan({ records: record('web') }).remove).toBeUndefined();
  });
  test('nothing is recorded or taken back while the catalog is unread', () => {
    expect(plan({ isCatalogRead: false, records: record('web') })).toMatchObject({
      create: undefined,
      remove: undefined,
    });
  });
  test('a refused claim is a hold of the client', () => {
    const { holds } = plan({
      services: [claiming('api', 'web'), claiming('web', 'web')],
      records: record('web'),
    });
    expect(holds).toMatchObject([{ reason: 'ClaimTaken', resource: { kind: 'claim', name: 'api' } }]);
  });
});
