import { expect, it } from 'vitest';
import { DENIES, startDeny } from '../../src/operator/denies.js';
import { FREEZES, startFreeze } from '../../src/operator/freezes.js';
import { follow, forgetRuling, readRulings, restoreRulings } from '../../src/operator/ruling-store.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const ADA = { id: 'os:ada' };
const WEB = { source: 'web', destination: 'orders', partition: 'default', namespace: 'default' };

async function start() {
  const all = depsOf(worldWithTwo(), {});
  const counted: unknown[] = [];
  const count = (_: string, labels: unknown) => void counted.push(labels);
  const deps = { ...all.deps, metrics: { ...all.deps.metrics, count } };
  await startFreeze({ reason: 'release' }, ADA, deps);
  await startDeny(WEB, { reason: 'INC-1', forMs: 1_000 }, ADA, deps);
  return { ...all, deps, counted };
}

it('all rulings are under one key, and each kind is read, restored and forgotten alone', async () => {
  const { deps } = await start();
  const { world } = deps;
  expect([...(await deps.journal.read('ruling/pay')).lastApplied.keys()]).toEqual([
    'freeze/started',
    'deny/intention/default/default/orders/web',
  ]);
  const [deny] = await readRulings(DENIES, deps);
  world.freezes.set([]);
  world.denies.set([]);
  await restoreRulings(DENIES, deps);
  expect([world.denies.all, world.freezes.all]).toEqual([[deny], []]);
  if (deny === undefined) throw new Error('no deny is stored');
  await forgetRuling(DENIES, deny, deps);
  expect([world.denies.all, await readRulings(DENIES, deps)]).toEqual([[], []]);
  expect(await readRulings(FREEZES, deps)).toMatchObject([{ kind: 'started', reason: 'release' }]);
});

it('the decision about a ruling is counted, whatever its kind', async () => {
  const { counted } = await start();
  expect(counted).toEqual([
    { outcome: 'applied', reason: 'FreezeStarted' },
    { outcome: 'observed', reason: 'PersonDenied' },
  ]);
});

it('what plans know stays as it was until the plans that a change needs are asked for', async () => {
  const { deps, added } = await start();
  const [deny] = deps.world.denies.all;
  deps.world.denies.set([]);
  added.length = 0;
  const full = { ...deps, queue: { add: () => Promise.reject(new Error('the queue is full')) } };
  await expect(follow(DENIES, 'resync', full)).rejects.toThrow('the queue is full');
  expect(deps.world.denies.all).toEqual([]);
  await follow(DENIES, 'resync', deps);
  expect(deps.world.denies.all).toEqual([deny]);
  expect(added).toMatchObject([{ key: { service: 'orders' }, cause: { kind: 'resync' }, loses: true }]);
});

it('a freeze that cannot be read is an error, and a deny that cannot be read closes nothing', async () => {
  const { deps } = await start();
  const records = { 'deny/intention/x': 'not JSON', 'freeze/started': '{}' };
  await deps.journal.settle('ruling/pay', [], { lastApplied: new Map(Object.entries(records)) });
  expect(await readRulings(DENIES, deps)).toHaveLength(1);
  await expect(readRulings(FREEZES, deps)).rejects.toThrow();
});
