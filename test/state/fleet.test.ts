import { expect, it, vi } from 'vitest';
import { planFleet, planningFleet } from '../../src/state/fleet.js';
import { NOW } from '../plan/scene.js';
import { fleetOf } from './fleet-events.js';

it('plans a large fleet in pieces, with the same result as in one', () => {
  const { world, window } = fleetOf(120);
  // No source of an entry is as it should be.
  world.putEntries([], NOW + 1);
  const planning = planningFleet(world, window, () => NOW);
  let pieces = 1;
  let next = planning.next();
  for (; next.done !== true; next = planning.next()) pieces++;
  expect(pieces).toBeGreaterThan(4);
  expect(next.value).toEqual(planFleet(world, window, NOW));
  expect(next.value.flatMap(({ changes }) => changes).length).toBeGreaterThanOrEqual(120);
});

it('asks for the time in each piece, so that it never is before what the state was asked for meanwhile', () => {
  const { world, window } = fleetOf(120);
  let now = NOW;
  const asked = vi.spyOn(world, 'view');
  const planning = planningFleet(world, window, () => now);
  for (let next = planning.next(); next.done !== true; next = planning.next()) world.view(++now);
  const times = asked.mock.calls.map(([at]) => at);
  expect(times.at(-1)).toBe(now);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});
