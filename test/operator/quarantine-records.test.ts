import { expect, it } from 'vitest';
import { compareQuarantines } from '../../src/operator/quarantine-records.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { inputOf } from '../../src/state/fleet.js';
import { NOW, named } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const SIGNAL = new AbortController().signal;
const WEB = { provider: 'main', clientId: 'web' };
const instant = (at: number) => new Date(at).toISOString();

it('a quarantine that only Consul has closes its edges before the job of its client runs', async () => {
  const world = worldWithTwo();
  const { deps, added } = depsOf(world, {});
  const record = { ...WEB, at: instant(NOW - 1_000), receivedAt: instant(NOW - 1_000) };
  const quarantines = { list: async () => [record], write: async () => [] };
  await compareQuarantines('resync', { ...deps, consul: { ...deps.consul, quarantines } }, SIGNAL);
  expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
  // No job has run: the plan of any other cause sees it.
  expect(planDestination(inputOf(world, named('orders'), NOW)).changes).toMatchObject([
    { source: { name: 'web' }, reason: 'ClientQuarantined', after: undefined },
  ]);
  expect(added).toMatchObject([
    { key: { value: 'web' }, urgent: true, order: { kind: 'secret-compromised', at: record.at } },
  ]);
});
