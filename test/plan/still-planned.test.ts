import { describe, expect, it } from 'vitest';
import { planDestination } from '../../src/plan/plan-destination.js';
import { isStillPlanned } from '../../src/plan/still-planned.js';
import { inputOf } from '../../src/state/fleet.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, named, ourSource, rule, SETTINGS } from './scene.js';

const web = { provider: 'main', clientId: 'web' };
const api = { provider: 'main', clientId: 'api' };

/** `web` has its edge already; `api` is to get one. */
function planned() {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  const clients = [client('web', ['orders']), client('api', ['orders'])];
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const services = [claiming('web', 'web'), claiming('api', 'api')];
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  world.putEntries([entry('orders', ourSource('web', ALLOW))], NOW);
  const planNow = () => planDestination(inputOf(world, named('orders'), NOW));
  const plan = planNow();
  return { world, isStill: () => isStillPlanned(plan.changes, plan, planNow()) };
}

describe('a recorded plan', () => {
  it('still holds where nothing changed, or only what it is not about', () => {
    const { world, isStill } = planned();
    expect(isStill()).toBe(true);
    world.putClient({ provider: 'main', clientId: 'far' }, client('far', ['orders']), world.beginRead());
    expect(isStill()).toBe(true);
  });

  it('does not hold once a client lost what an edge of it opens by', () => {
    const { world, isStill } = planned();
    world.putClient(api, client('api', []), world.beginRead());
    expect(isStill()).toBe(false);
  });

  it('does not hold once something else is to be closed', () => {
    const { world, isStill } = planned();
    world.putClient(web, client('web', []), world.beginRead());
    expect(isStill()).toBe(false);
  });
});
