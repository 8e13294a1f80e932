import { expect, test } from 'vitest';
import { SourcesByDestination } from '../../src/state/sources-by-destination.js';
import { keyOf, named } from '../plan/scene.js';

/** The sources of each destination, by name. */
const shown = (sources: SourcesByDestination) =>
  [...sources.all.values()].map(({ destination, services }) => [
    destination.name,
    [...services.values()].map(({ name }) => name),
  ]);

test('a service is a source of what it wants now, beside the others, and of nothing that it wanted before', () => {
  const sources = new SourcesByDestination();
  sources.put(named('web'), ['orders', 'pay']);
  sources.put(named('api'), ['orders']);
  expect(shown(sources)).toEqual([
    ['orders', ['web', 'api']],
    ['pay', ['web']],
  ]);
  sources.put(named('web'), ['pay', 'stock']);
  expect(shown(sources)).toEqual([
    ['orders', ['api']],
    ['pay', ['web']],
    ['stock', ['web']],
  ]);
  expect([...sources.destinationsOf(named('web')).keys()]).toEqual([keyOf('pay'), keyOf('stock')]);
  sources.put(named('web'), []);
  expect(shown(sources)).toEqual([['orders', ['api']]]);
  expect(sources.destinationsOf(named('web')).size).toBe(0);
});
