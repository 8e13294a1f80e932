import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { guardableEdges } from '../../src/plan/guards/edges.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { guardFacts } from '../../src/reconcile/guard-facts.js';
import { inputOf } from '../../src/state/fleet.js';
import { NOW, named } from '../plan/scene.js';
import { fleetOf } from '../state/fleet-events.js';
import { depsOf } from './deps.js';

it('a job that counts the losses of a large fleet lets others work meanwhile', async () => {
  const { world, window } = fleetOf(500);
  // Every client loses everything at once.
  world.putDirectory('main', [], world.beginRead(), NOW);
  const { losses } = guardableEdges(planDestination(inputOf(world, named('d100'), NOW)));
  expect(losses).toHaveLength(1);
  let turns = 0;
  let isDone = false;
  const others = (async () => {
    while (!isDone) {
      await setImmediate();
      turns++;
    }
  })();
  const facts = await guardFacts(losses, new Map(), { ...depsOf(world, {}).deps, window });
  isDone = true;
  await others;
  expect(facts.budget?.planned).toBeGreaterThan(400);
  expect(turns).toBeGreaterThanOrEqual(10);
});
