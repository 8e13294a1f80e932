import { describe, expect, test } from 'vitest';
import type { AclRole } from '../../src/model/acl.js';
import { destinationKey, formatKey } from '../../src/model/key.js';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { intentionSubject } from '../../src/plan/plan.js';
import { planClient } from '../../src/plan/plan-client.js';
import { serviceText } from '../../src/plan/world.js';
import { ClaimMemory } from '../../src/state/claim-memory.js';
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

const WEB = { provider: 'main', clientId: 'web' };

const role = (changes: Partial<AclRole> = {}): AclRole => ({
  name: 'scopemesh-pay-main-web',
  description: 'scopemesh:pay client=main/web',
  policies: [],
  serviceIdentities: ['web'],
  ...changes,
});

/** A world whose catalog shows these services, `web` being a client of its directory that names both. */
function worldWith(services: readonly ReturnType<typeof claiming>[], roles: readonly AclRole[]): WorldState {
  const world = new WorldState(mapping(), SETTINGS);
  const names = { attributes: { 'consul-services': 'web,shop' } };
  world.putDirectory('main', [client('web', [], names)], world.beginRead(), NOW);
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  world.putFirstRoles(roles, NOW);
  return world;
}

const standingOf = (world: WorldState, now: number, service = 'web') =>
  world.claimStatuses(now).get(serviceText(named(service)));

describe('a claim that only an existing role shows', () => {
  test('is kept for the grace, which begins with the first read of the role', () => {
    const world = worldWith([], [role()]);
    expect(standingOf(world, NOW + 299_999)).toMatchObject({ kind: 'claimed', client: { clientId: 'web' } });
    expect(standingOf(world, NOW + 300_000)).toMatchObject({ kind: 'none', vanished: true });
  });

  test('is what instances that disagree keep', () => {
    const world = worldWith([claiming('web', 'web', 'other')], [role()]);
    expect(standingOf(world, NOW)).toMatchObject({ kind: 'claimed', addNothing: true });
  });

  test.each([
    ['whose instances claim nothing any more', [claiming('web', '')], role()],
    ['of somebody else', [], role({ description: 'mine' })],
    ['whose Description names another client than its name', [], role({ name: 'scopemesh-pay-main-shop' })],
    ['of a client that does not name the service', [], role({ serviceIdentities: ['vault'] })],
  ])('is not one %s', (_, services, of) => {
    const world = worldWith(services, [of]);
    // Also not once the instances that said so are gone.
    world.putCatalog({ services: [], protocols: new Map(), defaultProtocol: 'http' }, NOW);
    for (const service of ['web', 'vault'])
      expect(standingOf(world, NOW, service)?.kind ?? 'none').not.toBe('claimed');
  });

  test('does not come before what an instance says', () => {
    const world = worldWith([claiming('web', 'other')], [role()]);
    world.putCatalog({ services: [], protocols: new Map(), defaultProtocol: 'http' }, NOW);
    expect(standingOf(world, NOW)).toMatchObject({ client: { clientId: 'other' } });
  });
});

describe('a service without instances', () => {
  test('does not have the client that a marked edge without a record names', () => {
    const world = new WorldState(mapping(), SETTINGS);
    world.setUnrecorded(undefined);
    const names = { attributes: { 'consul-services': 'web' } };
    world.putDirectory('main', [client('web', [], names)], world.beginRead(), NOW);
    world.putEntries([entry('evil', ourSource('web', ALLOW, 'web'))], NOW);
    world.putCatalog({ services: [], protocols: new Map(), defaultProtocol: 'http' }, NOW);
    expect(standingOf(world, NOW)?.kind).not.toBe('claimed');
  });
});

describe('with first claims and no record', () => {
  const catalogOf = (...services: readonly string[]) => ({
    services: services.map((name) => claiming(name, 'web')),
    protocols: new Map(),
    defaultProtocol: 'http' as const,
  });
  const edges = [entry('orders', ourSource('web', ALLOW, 'web'))];
  const worldOfFirst = () => {
    const world = new WorldState(mapping({ claims: 'first', rules: [rule('orders', 'orders')] }), SETTINGS);
    world.putDirectory('main', [client('web', ['orders'])], world.beginRead(), NOW);
    return world;
  };
  const recordedIn = (world: WorldState) =>
    planClient(WEB, world.view(NOW), world.claimsOn(WEB, NOW), world.mapping).create?.name;

  test.each([
    [
      'whose edges stand, as at a start after the KV was lost',
      (world: WorldState) => {
        world.putEntries(edges, NOW);
        world.putCatalog(catalogOf('web', 'aaa'), NOW);
      },
    ],
    [
      'whose edges stand, where the catalog is read before them',
      (world: WorldState) => {
        world.putCatalog(catalogOf('web', 'aaa'), NOW);
        world.putEntries(edges, NOW);
      },
    ],
    [
      'whose role exists',
      (world: WorldState) => {
        world.putCatalog(catalogOf('web', 'aaa'), NOW);
        world.putFirstRoles([role()], NOW);
      },
    ],
    [
      'that claimed it first, where the record is lost while it runs',
      (world: WorldState) => {
        world.putCatalog(catalogOf('web'), NOW - 2);
        world.putCatalog(catalogOf('web', 'aaa'), NOW - 1);
        world.putCatalog(catalogOf('web', 'aaa'), NOW);
      },
    ],
  ])('the service has the client %s', (_, prepare) => {
    const world = worldOfFirst();
    prepare(world);
    expect(recordedIn(world)).toBe('web');
  });

  test('a marked edge gives it only if scopemesh has a record of writing the edge', () => {
    const marked = [entry('evil', ourSource('zzz', ALLOW, 'web'))];
    for (const isRecorded of [false, true]) {
      const world = worldOfFirst();
      const key = formatKey(destinationKey('evil', 'default', 'default'));
      const text = toLastAppliedText(ALLOW, ['orders']);
      if (isRecorded) world.rememberWritten(key, new Map([[intentionSubject(named('evil'), 'zzz'), text]]));
      world.setUnrecorded(undefined);
      world.putEntries(marked, NOW);
      world.putCatalog(catalogOf('aaa', 'zzz'), NOW);
      expect(recordedIn(world)).toBe(isRecorded ? 'zzz' : 'aaa');
    }
  });

  test('the first by name has it of those that came at the same time', () => {
    const world = worldOfFirst();
    world.putCatalog(catalogOf('web', 'aaa'), NOW);
    expect(recordedIn(world)).toBe('aaa');
  });
});

const API = { provider: 'main', clientId: 'api' };
const claim = (client: typeof WEB) => ({ kind: 'client', client }) as const;
const VACANT = { kind: 'vacant' } as const;

describe('the grace of a service without instances', () => {
  const memory = () => {
    const of = new ClaimMemory(100);
    of.note('a', claim(WEB), true, 0);
    return of;
  };

  test('begins when its last instance is seen to be gone, and ends once', () => {
    const of = memory();
    of.note('a', VACANT, true, 50);
    expect(of.all.get('a')).toMatchObject({ ...WEB, lastSeenAt: 50, since: 0 });
    expect([of.endGraces(149), of.endGraces(150), of.endGraces(151)]).toEqual([[], ['a'], []]);
    expect(of.all.get('a')?.lastSeenAt).toBe(Number.NEGATIVE_INFINITY);
  });

  test('does not begin while instances disagree', () => {
    const of = memory();
    of.note('a', { kind: 'several', clients: [WEB, API] }, true, 50);
    expect([of.endGraces(900), of.all.get('a')?.lastSeenAt]).toEqual([[], 0]);
  });

  test('does not begin again while it stays without instances', () => {
    const of = memory();
    of.note('a', VACANT, true, 50);
    of.note('a', VACANT, false, 120);
    expect([of.endGraces(149), of.endGraces(150)]).toEqual([[], ['a']]);
  });

  test('ends without an end when an instance returns or claims nothing, and for an unknown service', () => {
    const of = memory();
    of.note('a', VACANT, true, 50);
    of.note('a', claim(WEB), false, 60);
    expect(of.endGraces(500)).toEqual([]);
    expect(of.all.get('a')).toMatchObject({ since: 0 });
    of.note('a', { kind: 'nothing' }, true, 510);
    expect(of.all.has('a')).toBe(false);
    of.note('b', VACANT, true, 520);
    expect([of.all.has('b'), of.endGraces(900)]).toEqual([false, []]);
  });

  test('ends for each service at its own time', () => {
    const of = memory();
    of.note('b', claim(API), true, 0);
    of.note('a', VACANT, true, 10);
    of.note('b', VACANT, true, 30);
    expect([of.endGraces(110), of.endGraces(129), of.endGraces(130)]).toEqual([['a'], [], ['b']]);
  });

  test('is not longer if the clock is set back, and does not begin again', () => {
    const of = memory();
    of.note('a', VACANT, true, 1_000);
    expect(of.endGraces(500)).toEqual([]);
    expect(of.all.get('a')?.lastSeenAt).toBe(500);
    expect([of.endGraces(599), of.endGraces(600)]).toEqual([[], ['a']]);
    expect([of.endGraces(100), of.endGraces(300)]).toEqual([[], []]);
    expect(of.all.get('a')?.lastSeenAt).toBe(Number.NEGATIVE_INFINITY);
  });

  test('keeps an end that the clock did not move', () => {
    const of = memory();
    of.note('a', VACANT, true, 10);
    of.note('c', claim(API), true, 200);
    expect(of.endGraces(50)).toEqual([]);
    expect(of.all.get('a')?.lastSeenAt).toBe(10);
    expect(of.endGraces(110)).toEqual(['a']);
  });

  test('is forgotten with the claim', () => {
    const of = memory();
    of.note('a', VACANT, true, 10);
    of.forget('a');
    expect([of.all.size, of.endGraces(900)]).toEqual([0, []]);
  });
});

describe('a claim of an earlier process', () => {
  test('is old, begins its grace now, and does not affect one on another client', () => {
    const of = new ClaimMemory(100);
    of.restore('a', WEB, true, 50);
    expect(of.all.get('a')).toEqual({ ...WEB, lastSeenAt: 50, since: 0 });
    expect([of.endGraces(149), of.endGraces(150)]).toEqual([[], ['a']]);
    of.note('b', claim(API), true, 200);
    of.restore('b', WEB, false, 210);
    expect(of.all.get('b')).toEqual({ ...API, lastSeenAt: 200, since: 200 });
    of.restore('b', API, false, 220);
    expect(of.all.get('b')).toEqual({ ...API, lastSeenAt: 200, since: 0 });
    expect(of.endGraces(900)).toEqual([]);
  });

  test('of a client that changes begins again', () => {
    const of = new ClaimMemory(100);
    of.note('a', claim(WEB), true, 10);
    of.note('a', claim(API), true, 20);
    expect(of.all.get('a')).toEqual({ ...API, lastSeenAt: 20, since: 20 });
  });
});
