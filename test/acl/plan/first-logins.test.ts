import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_FIRST_LOGINS } from '../../../src/acl/plan/first-logins.js';
import type { CatalogService } from '../../../src/model/catalog.js';
import type { OAuthClient } from '../../../src/model/client.js';
import type { Mapping } from '../../../src/model/rule.js';
import { clientText } from '../../../src/plan/world.js';
import type { UnreadableRecord } from '../../../src/state/directories.js';
import { NOTHING_TOUCHED, type Touched } from '../../../src/state/touched.js';
import { WorldState } from '../../../src/state/world-state.js';
import { claiming, client, mapping, NOW, rule, SETTINGS } from '../../plan/scene.js';
import { settings } from './acl-scene.js';

const ON = settings({ firstLogin: true });
/** A client that names the services. */
const naming = (clientId: string, services: string, changes: Partial<OAuthClient> = {}) =>
  client(clientId, ['orders'], { attributes: { 'consul-services': services }, ...changes });
const web = naming('web', 'web');
const rival = naming('rival', 'web');

function worldWith(
  clients: readonly OAuthClient[],
  services: readonly CatalogService[] = [],
  changes: Partial<Mapping> = {},
): WorldState {
  const world = new WorldState(mapping({ acl: ON, rules: [rule('orders', 'orders')], ...changes }), SETTINGS);
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  world.putDirectory('main', clients, world.beginRead(), NOW);
  return world;
}

const catalogOf = (...services: readonly CatalogService[]) => ({
  services,
  protocols: new Map(),
  defaultProtocol: 'http' as const,
});
/** What the client gains: the services that it alone certainly names. */
const gains = (world: WorldState, of: OAuthClient = web, now = NOW) =>
  world
    .firstLogins(of, now)
    .flatMap(({ service, isCertain, rivals }) => (isCertain && rivals === 0 ? [service.name] : []));
const clientsIn = ({ clients }: Touched) => clients.map(({ clientId }) => clientId).toSorted();
const gateway = (name: string): CatalogService => ({
  ...claiming(name, ''),
  instances: claiming(name, '').instances.map((each) => ({ ...each, kind: 'mesh-gateway' })),
});

describe('a client that names a service at its identity provider', () => {
  test('may log in as it, whoever registers the name in another case', () => {
    expect(gains(worldWith([web], [claiming('Web', '')]))).toEqual(['web']);
  });

  test('may log in as it while no instance is registered', () => {
    expect(gains(worldWith([web]))).toEqual(['web']);
    expect(gains(worldWith([naming('web', 'web, api,web')]), naming('web', 'web, api,web'))).toEqual([
      'api',
      'web',
    ]);
  });

  test.each<[string, readonly OAuthClient[], readonly CatalogService[], Partial<Mapping>]>([
    [
      'if its instance claims the client, which gives the same by the claim',
      [web],
      [claiming('web', 'web')],
      {},
    ],
    ['if an instance claims nothing', [web], [claiming('web', '')], {}],
    ['if an instance claims another client', [web, rival], [claiming('web', 'other')], {}],
    ['if instances disagree', [web], [claiming('web', 'web', 'other')], {}],
    ['if a gateway has the name', [web], [gateway('web')], {}],
    ['in capitals if a service has the name', [naming('web', 'WEB')], [claiming('web', '')], {}],
    ['if another client names it too', [web, rival], [], {}],
    ['if another client names it in another case', [web, naming('rival', 'WEB')], [], {}],
    ['with login: registered', [web], [], { acl: settings() }],
    ['with login: off', [web], [], { acl: settings({ login: false, firstLogin: true }) }],
    ['with claims: first', [web], [], { claims: 'first' }],
    ['while the directory of another provider is unread', [web], [], { providers: ['main', 'other'] }],
  ])('gains nothing by the name %s', (_, clients, services, changes) => {
    expect(gains(worldWith(clients, services, changes))).toEqual([]);
  });

  test('gains nothing by the name if it names more services than one role may have', () => {
    const all = Array.from({ length: MAX_FIRST_LOGINS + 1 }, (_, index) => `s${index}`);
    const many = naming('many', all.join());
    expect(gains(worldWith([many]), many)).toEqual([]);
    const most = naming('many', all.slice(1).join());
    expect(gains(worldWith([most]), most)).toHaveLength(MAX_FIRST_LOGINS);
  });

  test.each<[string, UnreadableRecord]>([
    ['cannot be parsed', { clientId: 'owner', why: 'bad' }],
    ['has no readable ID', { why: 'bad' }],
  ])('gains nothing while a record %s: that client may name it too', (_, record) => {
    const world = worldWith([web]);
    world.putDirectory('main', [web], world.beginRead(), NOW, [record]);
    expect(gains(world)).toEqual([]);
    // Who has the login keeps it: it still names the service.
    expect(world.firstLogins(web, NOW)).toHaveLength(1);
    expect(clientsIn(world.putDirectory('main', [web], world.beginRead(), NOW))).toContain('web');
    expect(gains(world)).toEqual(['web']);
  });

  test('gains nothing while a single read cannot be parsed', () => {
    const world = worldWith([web, naming('owner', '')]);
    const owner = { provider: 'main', clientId: 'owner' };
    world.putUnreadable(owner, 'bad', world.beginRead());
    expect(gains(world)).toEqual([]);
    expect(clientsIn(world.putClient(owner, undefined, world.beginRead()))).toContain('web');
    expect(gains(world)).toEqual(['web']);
  });

  test('is not hindered by a disabled client', () => {
    expect(gains(worldWith([web, { ...rival, enabled: false }]))).toEqual(['web']);
  });

  test.each<[string, Partial<Mapping>]>([
    ['', {}],
    [', in the partition that is configured', { place: { partition: 'eu', namespace: 'team' } }],
  ])('gains nothing while another claim on the service is in its grace%s', (_, changes) => {
    const service = claiming('web', 'nobody');
    const placed = { ...service, name: { ...service.name, ...changes.place } };
    const world = worldWith([web], [placed], changes);
    world.putCatalog(catalogOf(), NOW);
    expect(gains(world)).toEqual([]);
    const later = NOW + SETTINGS.claimGraceMs;
    expect(clientsIn(world.expireGraces(later))).toContain('web');
    expect(gains(world, web, later)).toEqual(['web']);
  });

  test('opens no edge, and is no source of one', () => {
    const world = worldWith([web]);
    expect(gains(world)).toEqual(['web']);
    expect(world.claimStatuses(NOW).size).toBe(0);
    expect(world.destinations(NOW)).toEqual([]);
  });

  test('keeps the login of a service whose last instance is gone, in the grace by the claim and then by the name', () => {
    const world = worldWith([web], [claiming('web', 'web')]);
    world.putCatalog(catalogOf(), NOW);
    expect(gains(world)).toEqual([]);
    expect(world.claimsOn(web, NOW)).toMatchObject([{ kind: 'claimed' }]);
    const later = NOW + SETTINGS.claimGraceMs;
    expect(clientsIn(world.expireGraces(later))).toEqual(['web']);
    expect(world.claimsOn(web, later)).toEqual([]);
    expect(gains(world, web, later)).toEqual(['web']);
  });

  test('gets no claim by its role after a restart, because a role proves no instance', () => {
    const role = {
      name: 'scopemesh-pay-main-web',
      description: 'scopemesh:pay client=main/web',
      policies: [],
      serviceIdentities: ['web'],
    };
    const world = worldWith([web]);
    world.putFirstRoles([role], NOW);
    expect(world.claimStatuses(NOW).size).toBe(0);
    const registered = worldWith([web], [claiming('web', 'web', 'other')]);
    registered.putFirstRoles([role], NOW);
    expect(registered.claimsOn(web, NOW)).toMatchObject([{ kind: 'claimed', addNothing: true }]);
  });
});

describe('the clients that name a service are planned again', () => {
  const both = (world: WorldState, change: () => Touched) => {
    world.expireGraces(NOW);
    return clientsIn(change());
  };

  test.each<[string, (world: WorldState) => Touched, readonly string[]]>([
    [
      'when another one names it',
      (world) => world.putClient(rival, rival, world.beginRead()),
      ['rival', 'web'],
    ],
    [
      'when an instance appears that claims nothing',
      (world) => world.putCatalog(catalogOf(claiming('web', '')), NOW),
      ['web'],
    ],
  ])('%s', (_, change, expected) => {
    const world = worldWith([web, naming('rival', 'other')]);
    expect(both(world, () => change(world))).toEqual(expected);
  });

  test.each<[string, OAuthClient | undefined]>([
    ['when the other one names it no longer', naming('rival', 'other')],
    ['when the other one is disabled', { ...rival, enabled: false }],
    ['when the other one is gone', undefined],
  ])('%s', (_, after) => {
    const world = worldWith([web, rival]);
    expect(both(world, () => world.putClient(rival, after, world.beginRead()))).toEqual(['rival', 'web']);
    expect(gains(world)).toEqual(['web']);
  });

  test('when the last unread directory is read, also those of other providers', () => {
    const world = worldWith([web], [], { providers: ['main', 'other'] });
    const touched = world.putDirectory('other', [], world.beginRead(), NOW);
    expect(touched.clients.map(clientText)).toEqual([clientText(web)]);
    expect(gains(world)).toEqual(['web']);
  });

  test('only for a name that matters: a third one changes nothing for the other two', () => {
    const world = worldWith([web, rival]);
    const third = naming('third', 'web');
    expect(both(world, () => world.putClient(third, third, world.beginRead()))).toEqual(['third']);
    expect(world.putClient(third, third, world.beginRead())).toEqual(NOTHING_TOUCHED);
  });

  test('whenever what a client gains changes, for all histories', () => {
    const ids = ['web', 'api', 'job'] as const;
    const services = fc.constantFrom('web', 'api', 'web,api', 'WEB', '');
    const someStep = fc.oneof(
      fc.record({ id: fc.constantFrom(...ids), services, enabled: fc.boolean() }),
      fc.record({ name: fc.constantFrom('web', 'api'), claims: fc.constantFrom(undefined, '', ...ids) }),
      fc.record({ gone: fc.constantFrom(...ids) }),
    );
    const all = (world: WorldState) =>
      new Map(
        ids.map((id) => {
          const known = world.client({ provider: 'main', clientId: id });
          return [id, known === undefined ? '' : gains(world, known).join()];
        }),
      );
    fc.assert(
      fc.property(fc.array(someStep, { maxLength: 12 }), (steps) => {
        const world = worldWith([]);
        const catalog = new Map<string, CatalogService>();
        for (const step of steps) {
          const before = all(world);
          let touched: Touched;
          if ('id' in step) {
            const next = naming(step.id, step.services, { enabled: step.enabled });
            touched = world.putClient(next, next, world.beginRead());
          } else if ('gone' in step)
            touched = world.putClient(
              { provider: 'main', clientId: step.gone },
              undefined,
              world.beginRead(),
            );
          else {
            if (step.claims === undefined) catalog.delete(step.name);
            else catalog.set(step.name, claiming(step.name, step.claims));
            touched = world.putCatalog(catalogOf(...catalog.values()), NOW);
          }
          const after = all(world);
          const changed = ids.filter(
            (id) => before.get(id) !== after.get(id) && world.client({ provider: 'main', clientId: id }),
          );
          expect(clientsIn(touched)).toEqual(expect.arrayContaining(changed));
        }
      }),
      { numRuns: 200 },
    );
  });
});
