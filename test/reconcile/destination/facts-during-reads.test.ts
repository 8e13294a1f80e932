import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { IntentionEntry, ServiceName } from '../../../src/model/intention.js';
import { destinationKey, formatKey } from '../../../src/model/key.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { reconcileDestination } from '../../../src/reconcile/destination.js';
import { WorldState } from '../../../src/state/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, ourSource, rule, SETTINGS } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../deps.js';

const never = new AbortController().signal;
const cause = { kind: 'webhook' as const, receivedAt: new Date(NOW).toISOString() };

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await setImmediate();
};

/** Runs the job of a destination. `read`: what Consul answers for an entry. */
function jobsOf(world: WorldState, read: (name: string) => Promise<IntentionEntry | undefined>) {
  const { deps, decisions } = depsOf(world, {});
  const intentions = {
    ...deps.consul.intentions,
    read: ({ name }: ServiceName) => read(name),
    write: async () => ({ kind: 'written' as const }),
    delete: async () => ({ kind: 'written' as const }),
  };
  const whole = { ...deps, consul: { ...deps.consul, intentions } };
  const run = (service: string) => {
    const key = { ...destinationKey(service, 'default', 'default'), kind: 'destination' } as const;
    const job = { key, triggers: [{ key, cause, evidence: [] }], attempts: 0 };
    return reconcileDestination(key, job, whole, never);
  };
  return { deps, decisions, run };
}

test.each([
  [
    'the record of its client is unreadable',
    (world: WorldState) => {
      world.putUnreadable({ provider: 'main', clientId: 'web' }, 'bad', world.beginRead());
    },
  ],
  ['its directory is unread', (world: WorldState) => world.forgetDirectory('main')],
])('an edge is not recorded as gone if %s by then', async (_, happen) => {
  const world = worldWithTwo();
  const rest = { ...entry('orders', ourSource('api', ALLOW)), modifyIndex: 8 };
  world.putEntries([rest], NOW);
  world.putClient({ provider: 'main', clientId: 'web' }, client('web', []), world.beginRead());
  const text = formatKey(destinationKey('orders', 'default', 'default'));
  const subject = 'intention/default/default/orders/web';
  world.rememberWritten(text, new Map([[subject, toLastAppliedText(ALLOW, ['orders'])]]));
  const { deps, decisions, run } = jobsOf(world, async (name) => {
    await turns(5);
    happen(world);
    return name === 'orders' ? rest : undefined;
  });
  await deps.journal.settle(text, [], { lastApplied: world.records.of(text) });
  await run('orders');
  expect(decisions).toEqual([]);
});

test('losses that become known while the first of them read Consul are counted with these', async () => {
  const services = Array.from({ length: 40 }, (_, at) => `d${at}`);
  const maxRevocations = { percent: 1, atLeast: 4, windowMs: 600_000 };
  const rules = services.map((name) => rule(`s-${name}`, name));
  const world = new WorldState(mapping({ rules, maxRevocations }), SETTINGS);
  const scoped = services.map((name) => client(`c-${name}`, [`s-${name}`]));
  world.putDirectory('main', scoped, world.beginRead(), NOW);
  const foreign = { ...ourSource('x', ALLOW), description: '' };
  world.putEntries(
    services.map((name) => entry(name, ourSource(`c-${name}`, ALLOW), foreign)),
    NOW,
  );
  const instances = services.map((name) => claiming(`c-${name}`, `c-${name}`));
  world.putCatalog({ services: instances, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const { decisions, run } = jobsOf(world, async (name) => {
    await turns(20);
    return [...world.entries.values()].find((each) => each.destination.name === name);
  });
  const runs: Promise<unknown>[] = [];
  for (const name of services) {
    const id = { provider: 'main', clientId: `c-${name}` };
    world.putClient(id, client(id.clientId, []), world.beginRead());
    runs.push(run(name));
    await turns(3);
  }
  await Promise.all(runs);
  expect(decisions.filter(({ outcome }) => outcome === 'applied')).toEqual([]);
  expect(decisions.filter(({ outcome }) => outcome === 'held')).toHaveLength(40);
});
