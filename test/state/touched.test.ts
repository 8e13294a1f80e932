import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AclRole } from '../../src/model/acl.js';
import type { UserTokenFacts } from '../../src/plan/destination-input.js';
import { openingsOf } from '../../src/plan/openings.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { namedIn, providersNamedBy, providersWrittenBy } from '../../src/plan/plan-jwt-providers.js';
import { clientText, serviceText } from '../../src/plan/world.js';
import { inputOf } from '../../src/state/fleet.js';
import { NOTHING_TOUCHED, type Touched, Touches } from '../../src/state/touched.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  SETTINGS,
} from '../plan/scene.js';
import { claimStatuses, sourcesByDestination } from '../plan/whole-world.js';
import { someScene } from '../plan/worlds.js';
import { runsOf } from '../support/soak.js';

const CLIENTS = ['web', 'api', 'job', 'bot'] as const;
const DESTINATIONS = ['orders', 'reports', 'vault', '*'] as const;
const idOf = (clientId: string) => ({ provider: 'main', clientId });
const roleOf = (clientId: string): AclRole => ({
  name: `scopemesh-pay-main-${clientId}`,
  description: `scopemesh:pay client=main/${clientId}`,
  policies: [],
  serviceIdentities: [clientId, 'api'],
});

/** One update; parts of the scene are what it brings. */
const someStep = fc.record({
  kind: fc.constantFrom(
    'client',
    'client',
    'gone',
    'directory',
    'forget',
    'closure',
    'catalog',
    'catalog',
    'records',
    'entries',
    'entry',
    'roles',
    'mapping',
    'facts',
    'time',
  ),
  scene: someScene,
  clientId: fc.constantFrom(...CLIENTS),
  destination: fc.constantFrom(...DESTINATIONS),
  ms: fc.constantFrom(0, 1_000, 150_000, 300_000),
});
type Step = typeof someStep extends fc.Arbitrary<infer T> ? T : never;

function take(step: Step, world: WorldState, now: number, count: number): Touched {
  const { scene, clientId, destination } = step;
  const entries = [...scene.entries.values()].map((each) => ({ ...each, modifyIndex: count }));
  switch (step.kind) {
    case 'client': {
      const found = scene.clients.find((each) => each.clientId === clientId);
      return world.putClient(idOf(clientId), found, world.beginRead());
    }
    case 'gone':
      return world.putClient(idOf(clientId), undefined, world.beginRead());
    case 'directory':
      return world.putDirectory('main', scene.clients, world.beginRead(), now);
    case 'forget':
      return world.forgetDirectory('main');
    case 'closure':
      return world.setClientBlock(
        idOf(clientId),
        world.clientBlock(idOf(clientId)) ? undefined : 'ClientQuarantined',
      );
    case 'catalog':
      return world.putCatalog(
        { services: scene.services, protocols: scene.protocols, defaultProtocol: 'http' },
        now,
      );
    case 'records':
      return world.putClaimRecords(scene.records);
    case 'entries':
      return world.putEntries(entries, now);
    case 'entry':
      return world.putEntry(
        named(destination),
        entries.find((each) => each.destination.name === destination),
      );
    case 'roles':
      return world.putFirstRoles([roleOf(clientId)], now);
    case 'mapping':
      return world.setMapping(scene.mapping);
    case 'facts':
      putFacts(scene.userTokens, world);
      return NOTHING_TOUCHED;
    case 'time':
      return NOTHING_TOUCHED;
  }
}

function putFacts(
  { consulVersion, laxAgents, jwksUris, entries, behindGateways }: UserTokenFacts,
  world: WorldState,
) {
  const { userTokens } = world;
  if (consulVersion !== undefined) userTokens.putVersion(consulVersion, laxAgents, world.beginRead());
  for (const [provider, uri] of jwksUris) userTokens.putJwksUri(provider, uri, world.beginRead());
  if (entries !== undefined) userTokens.putEntries([...entries.values()], world.beginRead());
  userTokens.putBehindGateways(behindGateways, world.beginRead());
}

/** The destinations, by `serviceText`, whose plans await a jwt-provider, or name one that their entries do not name. */
function needing(world: WorldState, now: number): readonly string[] {
  return world.destinations(now).flatMap((each) => {
    const { entry: existing, ...input } = inputOf(world, each, now);
    // Without the entry every access is written.
    const plans = [
      planDestination({ ...input, entry: existing }),
      planDestination({ ...input, entry: undefined }),
    ];
    const known = existing === undefined ? [] : providersNamedBy(existing);
    const isNew = (name: string) => !known.includes(name);
    const needs = plans.some(
      ({ changes, awaits = [] }) => awaits.length > 0 || changes.flatMap(providersWrittenBy).some(isNew),
    );
    return needs ? serviceText(each) : [];
  });
}

function plansOf(world: WorldState, now: number): ReadonlyMap<string, string> {
  return new Map(
    world
      .destinations(now)
      .map((each) => [serviceText(each), JSON.stringify(planDestination(inputOf(world, each, now)))]),
  );
}

const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));

describe('updates in any order', () => {
  test('give what everything gives that is judged from scratch, and touch every plan that they change', () => {
    fc.assert(
      fc.property(someScene, fc.array(someStep, { maxLength: 12 }), (first, steps) => {
        const world = new WorldState(first.mapping, SETTINGS);
        let now = NOW;
        let count = 10;
        let before = plansOf(world, now);
        for (const step of steps) {
          now += step.ms;
          const parts = [take(step, world, now, count++), world.expireGraces(now)];
          const after = plansOf(world, now);

          const claims = claimStatuses(world.view(now), world.mapping, SETTINGS);
          const clients = [...world.clients('main').values()];
          const openings = new Map(
            clients.map((each) => [clientText(each), openingsOf(each, world.mapping)] as const),
          );
          expect(sorted(world.claimStatuses(now))).toEqual(sorted(claims));
          expect(sorted(world.openings())).toEqual(sorted(openings));
          expect(sorted(world.sourcesByDestination(now))).toEqual(
            sorted(sourcesByDestination(claims, openings)),
          );
          for (const id of CLIENTS.map(idOf)) {
            const about = [...claims.values()].filter(
              (each) => each.kind !== 'none' && clientText(each.client) === clientText(id),
            );
            expect(new Set(world.claimsOn(id, now))).toEqual(new Set(about));
          }

          const use = world.jwtProviderUse;
          const ofUsers = use.destinationsOf('main').map(serviceText);
          expect(new Set(use.destinations())).toEqual(new Set(ofUsers));
          for (const key of needing(world, now)) expect(ofUsers).toContain(key);
          const isNamed = namedIn(world.everyEntry());
          for (const name of ['Theirs', 'scopemesh-pay-main-_users', 'nobody'])
            expect(use.isNamed(name)).toBe(isNamed(name));

          const touched = new Set(parts.flatMap(({ destinations }) => [...destinations.keys()]));
          if (step.kind === 'facts') for (const key of ofUsers) touched.add(key);
          for (const key of new Set([...before.keys(), ...after.keys()]))
            if (before.get(key) !== after.get(key)) expect(touched, `${step.kind} ${key}`).toContain(key);
          before = after;
        }
      }),
      runsOf(120, 40),
    );
  });
});

describe('what is touched', () => {
  const worldOf = () => {
    const world = new WorldState(
      mapping({ rules: [rule('orders', 'orders'), rule('stock', 'stock')] }),
      SETTINGS,
    );
    world.putDirectory('main', [client('web', ['orders']), client('api', ['stock'])], world.beginRead(), NOW);
    world.putCatalog(
      {
        services: [claiming('web', 'web'), claiming('api', 'api')],
        protocols: new Map(),
        defaultProtocol: 'http',
      },
      NOW,
    );
    return world;
  };
  const summary = ({ clients, losing, destinations }: Touched) => ({
    clients: clients.map(({ clientId }) => clientId),
    losing: losing.size,
    destinations: [...destinations.values()].map(
      ({ destination, losing }) => `${destination.name}${losing ? ' loses' : ''}`,
    ),
  });

  test('loses if one part of the update takes something, whatever came before or after it', () => {
    const touches = new Touches();
    for (const losing of [false, true, false]) {
      touches.destination(named('orders'), losing);
      touches.client(idOf('web'), losing);
    }
    touches.destination(named('stock'));
    touches.client(idOf('api'));
    expect(summary(touches.done())).toEqual({
      clients: ['web', 'api'],
      losing: 1,
      destinations: ['orders loses', 'stock'],
    });
  });

  test('by a claim that moves are both clients, and those who name the service', () => {
    const touches = new Touches();
    const claimed = (clientId: string) =>
      ({ kind: 'claimed', service: named('a'), client: idOf(clientId), addNothing: false }) as const;
    const change = { service: named('a'), before: claimed('web'), after: claimed('api') };
    touches.claimStatus({ ...change, namedBy: [idOf('bot')] });
    const { clients, losing } = touches.done();
    expect([clients, [...losing]]).toEqual([
      [idOf('web'), idOf('api'), idOf('bot')],
      [clientText(idOf('web'))],
    ]);
  });

  test('by one client is the client and what it opens, before and after', () => {
    const world = worldOf();
    expect(summary(world.putClient(idOf('web'), client('web', ['stock']), world.beginRead()))).toEqual({
      clients: ['web'],
      losing: 1,
      destinations: ['orders loses', 'stock'],
    });
  });

  test('by a read that shows nothing new is nothing', () => {
    const world = worldOf();
    const again = [client('web', ['orders']), client('api', ['stock'])];
    expect(world.putDirectory('main', again, world.beginRead(), NOW)).toBe(NOTHING_TOUCHED);
    expect(world.putClient(idOf('web'), client('web', ['orders']), world.beginRead())).toBe(NOTHING_TOUCHED);
  });

  test('by the end of a grace is returned once', () => {
    const world = worldOf();
    const left = {
      services: [claiming('api', 'api')],
      protocols: new Map(),
      defaultProtocol: 'http' as const,
    };
    expect(summary(world.putCatalog(left, NOW)).destinations).toEqual([]);
    expect(world.expireGraces(NOW + SETTINGS.claimGraceMs - 1)).toBe(NOTHING_TOUCHED);
    world.claimStatuses(NOW + SETTINGS.claimGraceMs);
    expect(summary(world.expireGraces(NOW + SETTINGS.claimGraceMs))).toEqual({
      clients: ['web'],
      losing: 1,
      destinations: ['orders loses'],
    });
    expect(world.expireGraces(NOW + SETTINGS.claimGraceMs)).toBe(NOTHING_TOUCHED);
  });

  test('by a protocol is each destination that speaks another one', () => {
    const world = worldOf();
    const services = [claiming('web', 'web'), claiming('api', 'api')];
    const protocols = new Map([['stock', 'tcp' as const]]);
    expect(
      summary(world.putCatalog({ services, protocols, defaultProtocol: 'http' }, NOW)).destinations,
    ).toEqual(['stock loses']);
    expect(
      summary(world.putCatalog({ services, protocols, defaultProtocol: 'grpc' }, NOW)).destinations,
    ).toEqual(['orders']);
  });

  test('by a quarantine is everything that the client has, by its claims or by what exists', () => {
    const world = worldOf();
    world.putEntries([entry('vault', ourSource('old', ALLOW, 'web'))], NOW);
    expect(summary(world.setClientBlock(idOf('web'), 'ClientQuarantined')).destinations).toEqual([
      'vault loses',
      'orders loses',
    ]);
    expect(world.setClientBlock(idOf('web'), 'ClientQuarantined')).toBe(NOTHING_TOUCHED);
  });
});
