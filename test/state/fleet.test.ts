import { expect, it } from 'vitest';
import { planFleet, planningFleet } from '../../src/state/fleet.js';
import { NOW } from '../plan/scene.js';
import { fleetOf } from './fleet-events.js';

it('plans a large fleet in pieces, with the same result as in one', () => {
  const { world, window } = fleetOf(120);
  // No source of an entry is as it should be.
  world.putEntries([], NOW + 1);
  const planning = planningFleet(world, window, NOW);
  let pieces = 1;
  let next = planning.next();
  for (; next.done !== true; next = planning.next()) pieces++;
  expect(pieces).toBeGreaterThan(4);
  expect(next.value).toEqual(planFleet(world, window, NOW));
  expect(next.value.flatMap(({ changes }) => changes).length).toBeGreaterThanOrEqual(120);
});
