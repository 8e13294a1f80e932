import { expect, it } from 'vitest';
import { runCooperatively } from '../../src/run-cooperatively.js';
import { planFleet } from '../../src/state/fleet.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { supposing } from '../../src/state/supposed-world.js';
import { worldOf } from '../console/api/console-world.js';
import { NOW, scene } from '../plan/scene.js';

const signal = new AbortController().signal;

it('a supposition leaves the world as it is, and its plan is that of a world where it is true', async () => {
  const it = scene();
  const [world, real] = [worldOf(it), worldOf(it)];
  const window = new RevocationWindow(60_000);
  const [known] = it.clients;
  if (known === undefined) throw new Error('the scene has no client');
  const id = { provider: known.provider, clientId: known.clientId };
  const stateOf = () =>
    JSON.stringify([
      [...world.openings()],
      [...world.sourcesByDestination(NOW)].map(([key, { services }]) => [key, [...services]]),
      [...world.entries],
      [...world.clients(id.provider)],
      [...world.view(NOW).clientBlocks],
      world.claimsVersion,
      world.mapping,
    ]);
  for (const after of [
    { ...known, enabled: false },
    { ...known, grants: [] },
    { ...known, grants: [...known.grants, { name: 'billing:read' }] },
  ]) {
    const before = stateOf();
    const present = planFleet(world, window, NOW);
    const supposed = await runCooperatively(supposing(world, { client: { id, after } }, NOW), signal);
    const plans = planFleet(supposed, window, NOW);
    expect(stateOf()).toBe(before);
    expect(planFleet(world, window, NOW)).toEqual(present);
    real.putClient(id, after, real.beginRead());
    const touched = new Set(plans.map(({ key }) => JSON.stringify(key)));
    const done = planFleet(real, window, NOW);
    expect(plans.filter(isSomething)).toEqual(
      done.filter((plan) => isSomething(plan) && touched.has(JSON.stringify(plan.key))),
    );
    expect(plans.length).toBeGreaterThan(0);
  }
});

const isSomething = ({ changes, holds }: { changes: readonly unknown[]; holds: readonly unknown[] }) =>
  changes.length + holds.length > 0;
