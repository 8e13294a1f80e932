import { describe, expect, test } from 'vitest';
import { standingTriggers, takeCatalog, takeEntries } from '../../src/reconcile/observe-consul.js';
import { WorldState } from '../../src/reconcile/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  mapping,
  NOW,
  ourSource,
  rule,
  SETTINGS,
  source,
} from '../plan/scene.js';

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
    const triggers = takeCatalog(world(), catalogOf(claiming('web', 'web')), NOW, CAUSE);
    expect(keys(triggers)).toMatchObject([
      { kind: 'client', value: 'web' },
      { kind: 'destination', service: 'orders' },
    ]);
    expect(triggers.every((trigger) => trigger.urgent === true)).toBe(true);
  });

  test('sends on nothing where no standing changed', () => {
    const it = world();
    takeCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
    expect(takeCatalog(it, catalogOf(claiming('web', 'web')), NOW + 1, CAUSE)).toEqual([]);
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
    const before = it.standings(NOW);
    it.putCatalog(catalogOf(...services), NOW);
    const startedAt = performance.now();
    expect(standingTriggers(it, before, NOW, CAUSE)).toHaveLength(8_000 + 10_000 + 8_000);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

test('a wildcard entry that changed sends on every destination that could be reached through it', () => {
  const it = world();
  takeCatalog(it, catalogOf(claiming('web', 'web')), NOW, CAUSE);
  const changed = { ...entry('*', ourSource('api', ALLOW)), modifyIndex: 9 };
  const triggers = takeEntries(it, [entry('orders', source('web', ALLOW)), changed], NOW, CAUSE);
  expect(keys(triggers)).toMatchObject([{ kind: 'destination', service: 'orders' }]);
});
