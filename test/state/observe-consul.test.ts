import { describe, expect, test } from 'vitest';
import { clientKey, destinationKey } from '../../src/model/key.js';
import type { Plan } from '../../src/plan/plan.js';
import { planClaims } from '../../src/state/client-claims.js';
import { planFleet } from '../../src/state/fleet.js';
import {
  applyCatalog,
  applyEntries,
  claimStatusTriggers,
  losingDestinations,
  toTriggers,
} from '../../src/state/observe-consul.js';
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
  ourSource,
  rule,
  SETTINGS,
  source,
} from '../plan/scene.js';
import { cpuMsOf } from '../support/cpu-time.js';

const CAUSE = { kind: 'consul-watch' as const, receivedAt: new Date(NOW).toISOString() };

function catalogOf(...services: ReturnType<typeof claiming>[]) {
  return { services, protocols: new Map(), defaultProtocol: 'http' as const };
}

function world(): WorldState {
  const it = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  it.putDirectory('main', [client('web', ['orders'])], it.beginRead(), NOW);
  it.putEntries([entry('orders', source('web', ALLOW)), entry('*', ourSource('api', ALLOW))], NOW);
  return it;
}

const keys = (triggers: readonly { key: object }[]) => triggers.map(({ key }) => key);

describe('a catalog that changed', () => {
  test('sends on the client of a new claim and every destination that holds the service, marked or not', () => {
    const triggers = applyCatalog(world(), catalogOf(claiming('web', 'web')), NOW, CAUSE);
    expect(keys(triggers)).toMatchObject([
      { kind: 'client', value: 'web' },
      { kind: 'destination', service: 'orders' },
    ]);
    expect(triggers.some(({ urgent }) => urgent === true)).toBe(false);
  });

  test('is urgent where a service loses its client, and nowhere else', () => {
    const it = world();
    applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
    const moved = catalogOf(claiming('web', 'nobody'), claiming('more', 'web'));
    const triggers = applyCatalog(it, moved, NOW + 1, CAUSE);
    expect(
      triggers.map(({ key, urgent = false }) => [Object(key).value ?? Object(key).service, urgent]),
    ).toEqual([
      ['web', true],
      ['nobody', false],
      ['orders', true],
    ]);
    const added = catalogOf(claiming('web', 'nobody'), claiming('more', 'web'), claiming('next', 'other'));
    expect(applyCatalog(it, added, NOW + 2, CAUSE)).toMatchObject([{ key: { value: 'other' } }]);
    expect(applyCatalog(it, added, NOW + 3, CAUSE)).toEqual([]);
  });

  test('is urgent where the instances claim nothing any more', () => {
    const it = world();
    applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
    const triggers = applyCatalog(it, catalogOf(claiming('web', '')), NOW + 1, CAUSE);
    expect(triggers).toMatchObject([
      { key: { kind: 'client', value: 'web' }, urgent: true },
      { key: { kind: 'destination', service: 'orders' }, urgent: true },
    ]);
    const unclaimed = it.putCatalog(catalogOf(claiming('web', 'web')), NOW + 2);
    expect(claimStatusTriggers(it, unclaimed, CAUSE, (status) => status?.kind === 'none')).toEqual([]);
  });

  test('sends on the destinations that are there and speak another protocol', () => {
    const it = world();
    applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
    const tcp = { ...catalogOf(claiming('web', 'web')), protocols: new Map([['orders', 'tcp' as const]]) };
    expect(applyCatalog(it, tcp, NOW + 1, CAUSE)).toEqual([
      {
        key: { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' },
        cause: CAUSE,
      },
    ]);
    expect(applyCatalog(it, tcp, NOW + 2, CAUSE)).toEqual([]);
  });

  test('triggers nothing if no claim status changed', () => {
    const it = world();
    applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
    expect(applyCatalog(it, catalogOf(claiming('web', 'web')), NOW + 1, CAUSE)).toEqual([]);
  });

  test('is ignored after a read that began later: a removed tag stays removed', () => {
    const it = world();
    const slow = it.beginRead();
    applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE, it.beginRead());
    applyCatalog(it, catalogOf({ ...claiming('web', 'web'), instances: [] }), NOW, CAUSE, it.beginRead());
    const known = it.catalog;
    expect(applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE, slow)).toEqual([]);
    expect(it.catalog).toBe(known);
  });

  test('compares ten thousand services with eight thousand entries in a moment', () => {
    const it = new WorldState(mapping(), SETTINGS);
    const services = Array.from({ length: 10_000 }, (_, at) => claiming(`s${at}`, `n${at}`));
    it.putEntries(
      Array.from({ length: 8_000 }, (_, at) =>
        entry(`d${at}`, ourSource(`s${at}`, ALLOW, `c${at}`), source('x', ALLOW)),
      ),
      NOW,
    );
    const touched = it.putCatalog(catalogOf(...services), NOW);
    let count = 0;
    const ms = cpuMsOf(() => {
      count = claimStatusTriggers(it, touched, CAUSE).length;
    });
    expect(count).toBe(8_000 + 10_000 + 8_000);
    expect(ms).toBeLessThan(3_000);
  });
});

test('a wildcard entry that changed sends on every destination that could be reached through it', () => {
  const it = world();
  applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
  const changed = { ...entry('*', ourSource('api', ALLOW)), modifyIndex: 9 };
  const triggers = applyEntries(it, [entry('orders', source('web', ALLOW)), changed], NOW, CAUSE);
  expect(keys(triggers)).toMatchObject([{ kind: 'destination', service: 'orders' }]);
});

test('records of claims that a read begun earlier saw do not come back', () => {
  const it = world();
  const [slow, later] = [it.beginRead(), it.beginRead()];
  it.putClaimRecords([], later);
  const service = { partition: 'default', namespace: 'default', name: 'web' };
  it.putClaimRecords([{ provider: 'main', clientId: 'web', service, modifyIndex: 1 }], slow);
  expect(it.claimRecords).toEqual([]);
});

test('a comparison sends on first where something is taken away', () => {
  const it = new WorldState(
    mapping({ rules: [rule('orders', 'orders'), rule('more', 'billing')] }),
    SETTINGS,
  );
  it.putDirectory('main', [client('web', ['more'])], it.beginRead(), NOW);
  it.putEntries([entry('orders', ourSource('web', ALLOW))], NOW);
  applyCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
  const losing = losingDestinations(planFleet(it, new RevocationWindow(1_000), NOW));
  const triggers = toTriggers(it.destinations(NOW), CAUSE, losing);
  expect(triggers.map(({ key, urgent }) => [Object(key).service, urgent])).toEqual([
    ['orders', true],
    ['billing', undefined],
  ]);
});

test('something is taken away at a destination that one change narrows, and at no client', () => {
  const at = (key: object, ...narrows: readonly boolean[]) =>
    ({ key, holds: [], changes: narrows.map((each) => ({ narrows: each })) }) as unknown as Plan;
  const destination = (service: string) => destinationKey(service);
  expect(
    losingDestinations([
      at(destination('some'), true, false),
      at(destination('none'), false),
      at(clientKey('main', 'web'), true),
    ]),
  ).toEqual(new Set([keyOf('some')]));
});

test('the plan of the fleet is sorted, whichever side was read first', () => {
  const rules = [rule('b', 'orders'), rule('a', 'billing')];
  const order = (isDirectoryFirst: boolean) => {
    const it = new WorldState(mapping({ rules }), SETTINGS);
    const readDirectory = () =>
      it.putDirectory('main', [client('web', ['b']), client('api', ['a'])], it.beginRead(), NOW);
    if (isDirectoryFirst) readDirectory();
    applyCatalog(it, catalogOf(claiming('api', 'api'), claiming('web', 'web')), NOW, CAUSE);
    if (!isDirectoryFirst) readDirectory();
    return planFleet(it, new RevocationWindow(1_000), NOW).map(({ key }) => Object(key).service);
  };
  expect([order(true), order(false)]).toEqual([
    ['billing', 'orders'],
    ['billing', 'orders'],
  ]);
});

test('the claim on a client that was read alone is triggered by the first complete read, which lets it be recorded', () => {
  const it = new WorldState(mapping({ rules: [rule('orders', 'orders')], claims: 'first' }), SETTINGS);
  const id = { provider: 'main', clientId: 'web' };
  const web = client('web', ['orders']);
  const toCreate = () => planClaims(id, it, NOW).create?.name;
  it.putCatalog(catalogOf(claiming('web', 'web')), NOW);
  it.putClient(id, web, it.beginRead());
  expect(toCreate()).toBeUndefined();
  const touched = it.putDirectory('main', [web], it.beginRead(), NOW);
  expect(toCreate()).toBe('web');
  expect(claimStatusTriggers(it, touched, CAUSE)).toEqual([{ key: clientKey('main', 'web'), cause: CAUSE }]);
});
