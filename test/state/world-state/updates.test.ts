import { describe, expect, test } from 'vitest';
import type { AclRole } from '../../../src/model/acl.js';
import type { ClaimRecord } from '../../../src/model/catalog.js';
import { clientKey, destinationKey, formatKey, providerKey } from '../../../src/model/key.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { intentionSubject } from '../../../src/plan/plan.js';
import { createSelection } from '../../../src/plan/selection.js';
import type { InferredRemovals } from '../../../src/state/inferred-removals.js';
import { NOTHING_TOUCHED, type Touched } from '../../../src/state/touched.js';
import { WorldState } from '../../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entry,
  keyOf,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  SETTINGS,
  source,
} from '../../plan/scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const API = { provider: 'main', clientId: 'api' };
const CLIENTS = [client('web', ['orders']), client('api', ['stock'])];
const SERVICES = [claiming('web', 'web'), claiming('api', 'api')];
const RULES = [rule('orders', 'orders'), rule('stock', 'stock')];
const catalogOf = (services = SERVICES) => ({
  services,
  protocols: new Map(),
  defaultProtocol: 'http' as const,
});

function bare(changes: Parameters<typeof mapping>[0] = {}) {
  return new WorldState(mapping({ rules: RULES, ...changes }), SETTINGS);
}

/** Two clients, each with a service and a destination. Every removal was counted. */
function read(changes: Parameters<typeof mapping>[0] = {}) {
  const world = bare(changes);
  world.putDirectory('main', CLIENTS, world.beginRead(), NOW);
  world.putCatalog(catalogOf(), NOW);
  countedAgain(world.inferredEdges);
  countedAgain(world.inferredAcl);
  return world;
}

/** What is planned again to count removals: keys, or everything. */
function countedAgain(inferred: InferredRemovals): readonly string[] {
  const keys: string[] = [];
  inferred.update(
    () => ['everything'],
    (key) => {
      keys.push(key);
      return [];
    },
  );
  return keys.includes('everything') ? ['everything'] : keys;
}

const statusOf = (world: WorldState, service: string) => world.claimStatuses(NOW).get(keyOf(service))?.kind;
const gist = ({ clients, losing, destinations }: Touched) => ({
  clients: clients.map(({ clientId }) => clientId),
  losing: losing.size,
  destinations: [...destinations.values()].map(({ destination, losing: loses }) =>
    loses ? `${destination.name} loses` : destination.name,
  ),
});

describe('the claim on a client that the directory does not show', () => {
  const withClaim = () => {
    const world = bare();
    world.putCatalog(catalogOf([claiming('lost', 'gone'), claiming('other', 'gone'), ...SERVICES]), NOW);
    return world;
  };

  test('is refused from the first complete read on, and unknown before it', () => {
    const world = withClaim();
    expect(statusOf(world, 'lost')).toBe('unknown');
    world.putDirectory('extra', [], world.beginRead(), NOW);
    expect(statusOf(world, 'lost')).toBe('unknown');
    const touched = world.putDirectory('main', CLIENTS, world.beginRead(), NOW);
    expect([statusOf(world, 'lost'), statusOf(world, 'other'), statusOf(world, 'web')]).toEqual([
      'refused',
      'refused',
      'claimed',
    ]);
    expect(gist(touched).clients).toContain('gone');
  });

  test('is unknown while a record has no readable client ID, and refused after that', () => {
    const world = withClaim();
    const all = (unnamed: boolean) =>
      world.putDirectory('main', CLIENTS, world.beginRead(), NOW, unnamed ? [{ why: 'x' }] : []);
    all(true);
    expect(statusOf(world, 'lost')).toBe('unknown');
    all(false);
    expect(statusOf(world, 'lost')).toBe('refused');
  });
});

test('a record that cannot be parsed makes the claims on its client unknown, and only newer reads count', () => {
  const world = read();
  const early = world.beginRead();
  const touched = world.putUnreadable(WEB, 'x', world.beginRead());
  expect(gist(touched)).toMatchObject({ clients: ['web'], destinations: ['orders'] });
  expect([statusOf(world, 'web'), statusOf(world, 'api')]).toEqual(['unknown', 'claimed']);
  expect(world.putClient(WEB, CLIENTS[0], early)).toBe(NOTHING_TOUCHED);
  world.putClient(WEB, CLIENTS[0], world.beginRead());
  expect(statusOf(world, 'web')).toBe('claimed');
});

test('a directory that is forgotten makes its clients unknown, and only these', () => {
  const world = bare({
    providers: ['main', 'extra'],
    rules: ['main', 'extra'].map((provider) => rule('orders', 'orders', { provider })),
  });
  const of = (provider: string, at: number) => ({ ...claiming(`s${at}`, `c${at}`), provider });
  const services = [of('main', 1), of('extra', 2)].map(({ provider, ...service }) => ({
    ...service,
    instances: service.instances.map((each) => ({
      ...each,
      meta: { ...each.meta, 'oauth-provider': provider },
    })),
  }));
  for (const [provider, at] of [
    ['main', 1],
    ['extra', 2],
  ] as const)
    world.putDirectory(
      provider,
      [client(`c${at}`, ['orders'], { provider, attributes: { 'consul-services': `s${at}` } })],
      world.beginRead(),
      NOW,
    );
  world.putCatalog(catalogOf([...services, claiming('quiet', '')]), NOW);
  expect([statusOf(world, 's1'), statusOf(world, 's2')]).toEqual(['claimed', 'claimed']);
  // This one has no service, and an edge that names it alone.
  world.putClient({ ...WEB, clientId: 'job' }, client('job', [], { attributes: {} }), world.beginRead());
  world.putEntries([entry('vault', ourSource('old', ALLOW, 'job'))], NOW);
  world.putCatalog(catalogOf([...services, claiming('quiet', ''), claiming('old', '')]), NOW);
  countedAgain(world.inferredAcl);
  const touched = world.forgetDirectory('main');
  expect([statusOf(world, 's1'), statusOf(world, 's2')]).toEqual(['unknown', 'claimed']);
  expect(gist(touched)).toEqual({ clients: ['c1', 'job'], losing: 0, destinations: ['orders', 'vault'] });
  expect(touched.claimStatuses).toHaveLength(1);
  // Also clients that no read has shown may have objects.
  expect(countedAgain(world.inferredAcl)).toEqual(['everything']);
  expect(world.hasDirectory('main')).toBe(false);
  expect(world.forgetDirectory('main')).toBe(NOTHING_TOUCHED);
});

describe('an order', () => {
  test('that closes a client removes its access, and the end of the order removes none', () => {
    const world = read();
    expect(gist(world.setClientBlock(WEB, 'ClientQuarantined'))).toEqual({
      clients: ['web'],
      losing: 1,
      destinations: ['orders loses'],
    });
    expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
    expect(gist(world.setClientBlock(WEB, undefined))).toEqual({
      clients: ['web'],
      losing: 0,
      destinations: ['orders'],
    });
    expect(world.clientBlock(WEB)).toBeUndefined();
  });

  test('that could not be confirmed ends with a read that began after it, but a quarantine does not', () => {
    const world = read();
    const early = world.beginRead();
    world.setClientBlock(WEB, 'RevocationUnconfirmed');
    expect(world.reopen(WEB, early)).toBe(NOTHING_TOUCHED);
    expect(world.clientBlock(WEB)).toBe('RevocationUnconfirmed');
    expect(gist(world.reopen(WEB, world.beginRead())).clients).toEqual(['web']);
    expect(world.clientBlock(WEB)).toBeUndefined();
    world.setClientBlock(API, 'ClientQuarantined');
    expect(world.reopen(API, world.beginRead())).toBe(NOTHING_TOUCHED);
    expect(world.clientBlock(API)).toBe('ClientQuarantined');
  });
});

describe('the removals that are counted again', () => {
  test('are all after the first catalog and a new configuration', () => {
    const world = read();
    const [edges, acl] = [world.inferredEdges, world.inferredAcl];
    const fresh = bare();
    fresh.putDirectory('main', CLIENTS, fresh.beginRead(), NOW);
    fresh.putEntries([entry('vault', ourSource('former', ALLOW, 'job'))], NOW);
    countedAgain(fresh.inferredAcl);
    const first = fresh.putCatalog(catalogOf([]), NOW);
    // The services of these edges are now known to be gone.
    expect(gist(first).destinations).toContain('vault');
    expect(countedAgain(fresh.inferredAcl)).toEqual(['everything']);
    expect(world.putCatalog(catalogOf(), NOW)).toBe(NOTHING_TOUCHED);
    expect([countedAgain(edges), countedAgain(acl)]).toEqual([[], []]);
    world.setMapping(mapping({ rules: RULES }));
    expect([countedAgain(edges), countedAgain(acl)]).toEqual([['everything'], ['everything']]);
    world.setUnrecorded(new Set());
    expect(countedAgain(edges)).toEqual(['everything']);
  });

  test('are, after a change of what users’ tokens need, those of the destinations with such a rule', () => {
    const world = read({ rules: [rule('orders', 'orders', { userRequired: true }), rule('stock', 'stock')] });
    world.userTokens.putVersion('v1.18.0', [], world.beginRead());
    const { inferredEdges, inferredAcl } = world;
    expect([countedAgain(inferredEdges), countedAgain(inferredAcl)]).toEqual([[keyOf('orders')], []]);
  });

  test('are those of one destination after its entry or its record, and all after the wildcard entry', () => {
    const world = read();
    world.putEntry(named('orders'), entry('orders', ourSource('web', ALLOW)));
    expect(countedAgain(world.inferredEdges)).toEqual([keyOf('orders')]);
    const wildcard = world.putEntry(named('*'), entry('*', source('web', DENY)));
    expect(gist(wildcard).destinations.toSorted()).toEqual(['orders', 'stock']);
    expect(countedAgain(world.inferredEdges)).toEqual(['everything']);
    const written = new Map([['x', 'y']]);
    world.rememberWritten(formatKey(destinationKey('orders')), written);
    expect([countedAgain(world.inferredEdges), countedAgain(world.inferredAcl)]).toEqual([
      [keyOf('orders')],
      [],
    ]);
    world.rememberWritten(formatKey(clientKey('main', 'web')), written);
    expect([countedAgain(world.inferredEdges), countedAgain(world.inferredAcl)]).toEqual([
      [],
      ['["main","web"]'],
    ]);
    world.rememberWritten(formatKey(clientKey('main', 'web')), written);
    world.rememberWritten('no key', written);
    world.rememberWritten(formatKey(providerKey('main')), written);
    expect([countedAgain(world.inferredEdges), countedAgain(world.inferredAcl)]).toEqual([[], []]);
  });

  test('are those of a client and its destinations after its scopes changed', () => {
    const world = read();
    world.putClient(WEB, client('web', []), world.beginRead());
    expect([countedAgain(world.inferredEdges), countedAgain(world.inferredAcl)]).toEqual([
      [keyOf('orders')],
      ['["main","web"]'],
    ]);
  });

  test('are those of the destination of a break-glass grant, which is known from then on', () => {
    const world = read();
    const version = world.claimsVersion;
    world.breakGlass.set([
      {
        id: '1',
        source: 'api',
        destination: 'vault',
        partition: 'default',
        namespace: 'default',
        reason: 'incident 7',
        forMs: 60_000,
        duringFreeze: false,
        askedAt: NOW,
        askedBy: { id: 'ana' },
      },
    ]);
    expect(countedAgain(world.inferredEdges)).toEqual([keyOf('vault')]);
    expect(world.destinations(NOW)).toContainEqual(named('vault'));
    expect(world.claimsVersion).toBeGreaterThan(version);
  });
});

describe('the version of what plans depend on', () => {
  test('increases with every change except that of an entry, but not with a read that shows nothing new', () => {
    const world = read();
    const increases = (update: () => unknown) => {
      const before = world.claimsVersion;
      update();
      return world.claimsVersion > before;
    };
    expect([
      increases(() => world.putClient(WEB, client('web', []), world.beginRead())),
      increases(() => world.setClientBlock(API, 'ClientQuarantined')),
      increases(() => world.putCatalog(catalogOf([...SERVICES, claiming('more', 'web')]), NOW)),
      increases(() => world.setMapping(mapping({ rules: RULES }))),
    ]).toEqual([true, true, true, true]);
    expect([
      increases(() => world.putClient(WEB, client('web', []), world.beginRead())),
      increases(() => world.putEntries([entry('orders', ourSource('web', ALLOW))], NOW)),
      increases(() => world.putEntry(named('orders'), undefined)),
      increases(() => world.putClaimRecords([])),
    ]).toEqual([false, false, false, false]);
  });

  test('increases with roles and entries that restore a claim', () => {
    const role: AclRole = {
      name: 'scopemesh-pay-main-web',
      description: 'scopemesh:pay client=main/web',
      policies: [],
      serviceIdentities: ['shop'],
    };
    const world = read();
    const before = world.claimsVersion;
    world.putFirstRoles([role], NOW);
    expect(statusOf(world, 'shop')).toBe('refused');
    expect(world.claimsVersion).toBe(before + 1);
    world.putFirstRoles([role], NOW);
    expect(world.claimsVersion).toBe(before + 1);
    const edge = [entry('vault', ourSource('former', ALLOW, 'web'))];
    world.putEntries(edge, NOW);
    expect([statusOf(world, 'former'), world.claimsVersion]).toEqual(['refused', before + 2]);
  });
});

describe('the claims in entries', () => {
  test('are restored from the first list alone', () => {
    const world = read();
    world.putEntries([], NOW);
    world.putEntries([entry('vault', ourSource('former', ALLOW, 'web'))], NOW);
    expect(statusOf(world, 'former')).toBeUndefined();
  });

  test('are those of edges of this owner that allow something and name their client', () => {
    const world = read();
    const edge = source('marked', ALLOW, 'scopemesh:pay');
    const others = source('theirs', ALLOW, 'scopemesh:else client=main/web');
    world.putEntries([entry('vault', ourSource('former', DENY, 'web'), others, edge)], NOW);
    expect(['former', 'theirs', 'marked'].map((each) => statusOf(world, each))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('a record of a claim is replaced by newer reads alone', () => {
  const world = read({ claims: 'first' });
  expect(statusOf(world, 'web')).toBe('unrecorded');
  const record: ClaimRecord = { ...WEB, service: named('web'), modifyIndex: 1 };
  const early = world.beginRead();
  expect(gist(world.putClaimRecords([record]))).toMatchObject({ clients: ['web'] });
  expect(statusOf(world, 'web')).toBe('claimed');
  expect(world.putClaimRecords([], early)).toBe(NOTHING_TOUCHED);
  expect(statusOf(world, 'web')).toBe('claimed');
  world.putClaimRecords([]);
  expect(statusOf(world, 'web')).toBe('unrecorded');
});

test('the world has every entry, also outside the selection, and says whether they were listed', () => {
  const world = bare({ select: createSelection({ services: ['orders'] }) });
  expect(world.hasEntries).toBe(false);
  world.putEntries([entry('orders'), entry('vault')], NOW);
  expect(world.hasEntries).toBe(true);
  expect([...world.everyEntry()].map(({ destination }) => destination.name)).toEqual(['orders', 'vault']);
  expect([...world.entries.keys()]).toEqual([keyOf('orders')]);
});

describe('the edges that are counted', () => {
  test('are those with a record, and not those of a wildcard entry', () => {
    const world = read();
    const key = formatKey(destinationKey('orders'));
    world.rememberWritten(
      key,
      new Map([[intentionSubject(named('orders'), 'web'), toLastAppliedText(ALLOW, ['orders'])]]),
    );
    world.setUnrecorded(undefined);
    world.putEntries(
      [
        entry('orders', ourSource('web', ALLOW), ourSource('api', ALLOW), ourSource('job', ALLOW)),
        entry('vault', ourSource('api', ALLOW), source('x', ALLOW)),
        entry('*', ourSource('api', ALLOW)),
      ],
      NOW,
    );
    expect([world.owned.count, world.owned.unrecorded]).toEqual([1, 3]);
    world.rememberWritten(formatKey(destinationKey('*')), new Map([['x', 'y']]));
    expect([world.owned.count, world.owned.unrecorded]).toEqual([1, 3]);
    world.putEntry(named('vault'), undefined);
    expect([world.owned.count, world.owned.unrecorded]).toEqual([1, 2]);
    world.rememberWritten(key, new Map());
    expect([world.owned.count, world.owned.unrecorded]).toEqual([0, 3]);
    world.putEntry(named('orders'), undefined);
    expect([world.owned.count, world.owned.unrecorded]).toEqual([0, 0]);
  });

  test('are found by their service if their Description has lost the client, and are gone with their entry', () => {
    const world = read();
    world.putEntry(named('vault'), entry('vault', source('web', ALLOW, 'scopemesh:pay')));
    expect(world.destinationsOf(WEB, NOW)).toEqual([named('orders'), named('vault')]);
    expect(world.destinations(NOW)).toContainEqual(named('vault'));
    world.putEntry(named('vault'), undefined);
    expect(world.destinationsOf(WEB, NOW)).toEqual([named('orders')]);
    expect(world.destinations(NOW)).not.toContainEqual(named('vault'));
  });
});
