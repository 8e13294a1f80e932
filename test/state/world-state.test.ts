import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OAuthClient } from '../../src/model/client.js';
import type { IntentionEntry } from '../../src/model/intention.js';
import { clientOfDescription, isOwned } from '../../src/plan/ownership.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { type ClientId, clientText, serviceText } from '../../src/plan/world.js';
import { inferredAcrossFleet, inputOf } from '../../src/state/fleet.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  keyOf,
  mapping,
  NOW,
  named,
  ourSource,
  planOf,
  rule,
  type Scene,
  SETTINGS,
  scene,
} from '../plan/scene.js';
import { someScene } from '../plan/worlds.js';
import { cpuMsOf } from '../support/cpu-time.js';
import { runsOf } from '../support/soak.js';

function worldOf(it: Scene): WorldState {
  const world = new WorldState(it.mapping, SETTINGS);
  world.putDirectory('main', it.clients, world.beginRead(), it.now);
  world.putEntries([...it.entries.values()], it.now);
  world.putCatalog({ services: it.services, protocols: it.protocols, defaultProtocol: 'http' }, it.now);
  world.putClaimRecords(it.records);
  return world;
}

/** Looks through everything, as the index must not need to. */
function destinationsBySearch(world: WorldState, id: ClientId): ReadonlySet<string> {
  const services = [...world.claimStatuses(NOW).values()].filter(
    (each) => each.kind !== 'none' && clientText(each.client) === clientText(id),
  );
  const opened = world.openings().get(clientText(id));
  const desired = [...(opened?.openings ?? []), ...(opened?.held ?? [])].flatMap(({ destination }) =>
    services.map(({ service }) => serviceText({ ...service, name: destination })),
  );
  const names = new Set(services.map(({ service }) => serviceText(service)));
  const held = [...world.entries.values()]
    .filter((each) => each.destination.name !== '*')
    .filter((each) =>
      each.sources.some((source) => {
        if (!isOwned(world.mapping.owner, source)) return false;
        const named = clientOfDescription(source.description);
        return (
          (named !== undefined && clientText(named) === clientText(id)) || names.has(serviceText(source))
        );
      }),
    )
    .map((each) => serviceText(each.destination));
  return new Set([...desired, ...held]);
}

describe('the world', () => {
  test('knows where a client reaches without looking at every entry', () => {
    fc.assert(
      fc.property(someScene, someScene, (first, second) => {
        const world = worldOf(first);
        const check = () => {
          for (const clientId of ['web', 'api', 'job', 'bot']) {
            const id = { provider: 'main', clientId };
            const found = new Set(world.destinationsOf(id, NOW).map(serviceText));
            expect(found).toEqual(destinationsBySearch(world, id));
          }
          const owned = [...world.entries.values()]
            .filter((each) => each.destination.name !== '*')
            .flatMap((each) => each.sources)
            .filter((source) => isOwned('pay', source) && source.access.kind !== 'deny');
          expect(world.owned.count).toBe(owned.length);
        };
        check();
        world.putEntries(
          [...second.entries.values()].map((each) => ({ ...each, modifyIndex: 8 })),
          NOW,
        );
        check();
        world.putEntry(named('orders'), undefined);
        world.setMapping(second.mapping);
        check();
        const [some] = second.clients;
        if (some !== undefined) world.putClient(some, some, world.beginRead());
        world.putCatalog({ services: second.services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
        check();
      }),
      runsOf(150, 50),
    );
  });

  test('is the same whichever of the first lists comes first', () => {
    const parts: readonly ((world: WorldState, it: Scene) => void)[] = [
      (world, it) => world.putDirectory('main', it.clients, world.beginRead(), it.now),
      (world, it) => world.putEntries([...it.entries.values()], it.now),
      (world, it) =>
        world.putCatalog({ services: it.services, protocols: it.protocols, defaultProtocol: 'http' }, it.now),
      (world, it) => world.putClaimRecords(it.records),
    ];
    const sorted = (map: ReadonlyMap<string, unknown>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
    /** All that plans are made from, now and after the grace of services without instances. */
    const contentOf = (world: WorldState, now: number) => {
      const at = [now, now + SETTINGS.claimGraceMs + 1].map((then) => ({
        statuses: sorted(world.claimStatuses(then)),
        remembered: sorted(world.view(then).remembered),
        sources: sorted(world.sourcesByDestination(then)).map(([, each]) => each),
        destinations: world.destinations(then).map(serviceText).toSorted(),
        plans: world
          .destinations(then)
          .map((each) => planDestination(inputOf(world, each, then)))
          .map((plan) => JSON.stringify(plan))
          .toSorted(),
      }));
      return { at, entries: sorted(world.entries), owned: world.owned.count };
    };
    fc.assert(
      fc.property(someScene, fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (it, order) => {
        const world = new WorldState(it.mapping, SETTINGS);
        for (const at of order) parts[at]?.(world, it);
        expect(contentOf(world, it.now)).toEqual(contentOf(worldOf(it), it.now));
      }),
      runsOf(150, 50),
    );
  });

  test('counts inferred losses as if every destination were planned again', () => {
    fc.assert(
      fc.property(someScene, someScene, (first, second) => {
        const world = worldOf(first);
        const check = () => {
          const recomputed = world
            .destinations(NOW)
            .flatMap((each) => planDestination(inputOf(world, each, NOW)).changes)
            .filter((change) => change.isInferred).length;
          expect(inferredAcrossFleet(world, new RevocationWindow(1_000), NOW)).toBe(recomputed);
        };
        check();
        world.putDirectory('main', second.clients, world.beginRead(), NOW);
        check();
        world.setClientBlock({ provider: 'main', clientId: 'web' }, 'ClientQuarantined');
        check();
        for (const each of second.entries.values())
          world.putEntry(each.destination, { ...each, modifyIndex: 9 });
        check();
        world.rememberWritten(
          'destination/default/default/orders',
          new Map([['intention/default/default/orders/web', '["none",[]]']]),
        );
        check();
      }),
      runsOf(150, 50),
    );
  });

  test('sees one destination in two names that differ in case, as Consul does', () => {
    const world = worldOf(scene());
    const upper: IntentionEntry = { ...entry('Orders', ourSource('web', ALLOW)), modifyIndex: 9 };
    expect([...world.putEntries([upper], NOW).destinations.keys()]).toEqual([keyOf('orders')]);
    expect(world.destinations(NOW)).toEqual([named('orders')]);
    expect(planDestination(inputOf(world, named('orders'), NOW)).changes).toEqual([]);
    world.putEntry(named('orders'), upper);
    expect(world.entries.get(keyOf('orders'))?.raw).toBe(upper.raw);
    expect(world.entries.size).toBe(1);
  });

  test('plans as the plan does by itself', () => {
    const world = worldOf(scene());
    expect(planDestination(inputOf(world, named('orders'), NOW))).toEqual(planOf(scene()));
  });

  test('is ready for ten thousand clients and fifty rules within a second or so', () => {
    const rules = Array.from({ length: 50 }, (_, at) =>
      rule(at < 40 ? `r${at}:read` : `*r${at}:{s}`, at < 40 ? `d${at}` : '{s}'),
    );
    const clients = Array.from({ length: 10_000 }, (_, at) =>
      client(`c${at}`, [`r${at % 40}:read`, `xr41:e${at % 8_000}`, 'openid', 'profile', 'email']),
    );
    const world = new WorldState(mapping({ rules }), SETTINGS);
    world.putDirectory('main', clients, world.beginRead(), NOW);
    const services = clients.map(({ clientId }) => claiming(clientId, clientId));
    const readyMs = cpuMsOf(() => {
      expect(world.openings().size).toBe(10_000);
      world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
      expect(world.destinations(NOW)).toHaveLength(8_040);
    });
    const askedMs = cpuMsOf(() => {
      for (const each of clients.slice(0, 1_000)) expect(world.destinationsOf(each, NOW)).toHaveLength(2);
    });
    // Loose, for slow machines: what it guards against is minutes.
    expect(readyMs).toBeLessThan(5_000);
    expect(askedMs).toBeLessThan(2_000);
  });
});

const why = 'a grant does not name its client';

test('a directory goes on to age while most of its clients cannot be read', () => {
  const world = new WorldState(mapping(), SETTINGS);
  const read = (at: number, readable: string[], doubtful: (string | undefined)[]) => {
    const [clients, unreadable] = [
      readable.map((id) => client(id, [])),
      doubtful.map((clientId) => ({ ...(clientId === undefined ? {} : { clientId }), why })),
    ];
    world.putDirectory('main', clients, world.beginRead(), at, unreadable);
    return world.directories.readAt('main');
  };
  // As at a start, when there is no earlier read to keep: it ages from here.
  expect(read(NOW - 1, ['a'], ['b', 'c'])).toBe(NOW - 1);
  expect(read(NOW, ['a'], ['b', 'c'])).toBe(NOW - 1);
  expect(read(NOW + 1, ['a', 'b'], ['c'])).toBe(NOW + 1);
  expect(read(NOW + 2, ['a'], ['b', 'c'])).toBe(NOW + 1);
  expect(read(NOW + 3, [], [])).toBe(NOW + 3);
  // Records without a client ID count too, and one of them harms only itself.
  expect(read(NOW + 4, ['a'], [undefined])).toBe(NOW + 4);
  expect(read(NOW + 5, ['a'], [undefined, undefined])).toBe(NOW + 4);
});

const WEB = { provider: 'main', clientId: 'web' };
const LIMITS = {
  human: { never: [] },
  workload: { never: [] },
  agent: { never: ['orders'] },
};

/** Whether `web` may do less once its directory says something else of it. */
function loses(before: OAuthClient, after: OAuthClient | undefined): boolean {
  const rules = [rule('orders', 'orders'), rule('billing', 'billing')];
  const classify = [{ attribute: 'actor', equals: 'agent', kind: 'agent' as const }];
  const world = new WorldState(mapping({ rules, limits: LIMITS, classify }), SETTINGS);
  world.putCatalog(
    { services: [claiming('web', 'web')], protocols: new Map(), defaultProtocol: 'http' },
    NOW,
  );
  world.putDirectory('main', [before], world.beginRead(), NOW);
  return world.putClient(WEB, after, world.beginRead()).losing.has(clientText(WEB));
}

const web = (scopes: readonly string[], attributes: Readonly<Record<string, string>> = {}) =>
  client('web', scopes, { attributes: { 'consul-services': 'web', ...attributes } });

describe('a client may do less', () => {
  test.each<readonly [string, OAuthClient | undefined]>([
    ['without a scope', web([])],
    ['as a kind that may not use the scope', web(['orders'], { actor: 'agent' })],
    ['where it no longer names the service', web(['orders'], { 'consul-services': 'api' })],
    ['gone', undefined],
    ['disabled', { ...web(['orders']), enabled: false }],
    ['with another scope instead', web(['billing'])],
  ])('%s', (_, after) => {
    expect(loses(web(['orders']), after)).toBe(true);
  });

  // Such a scope may open ACL rules.
  const api = { ...web(['x', 'y']), grants: [{ name: 'x' }, { name: 'y' }, { api: 'a', name: 'z' }] };
  test.each<readonly [string, OAuthClient]>([
    ['without one of two scopes', { ...api, grants: api.grants.slice(1) }],
    ['with the same scope at another API', { ...api, grants: [...api.grants.slice(0, 2), { name: 'z' }] }],
    ['disabled', { ...api, enabled: false }],
  ])('that opens no destination, %s', (_, after) => {
    expect([loses(api, after), loses(api, { ...api, name: 'Web' })]).toEqual([true, false]);
  });

  test('but not when it is known at first', () => {
    const world = new WorldState(mapping(), SETTINGS);
    const touched = world.putDirectory('main', [web(['x'])], world.beginRead(), NOW);
    expect([touched.clients, touched.losing.size]).toEqual([[WEB], 0]);
  });

  test.each<readonly [string, OAuthClient, OAuthClient]>([
    ['more scopes', web(['orders']), web(['orders', 'billing'])],
    ['another name', web(['orders']), { ...web(['orders']), name: 'Web' }],
    ['the service named at last', web(['orders'], { 'consul-services': '' }), web(['orders'])],
    ['a kind that may use the scope at last', web(['orders'], { actor: 'agent' }), web(['orders'])],
  ])('and not with %s', (_, before, after) => {
    expect(loses(before, after)).toBe(false);
  });
});
