import { expect, it } from 'vitest';
import { localPerson } from '../../src/model/cause.js';
import { LONGEST_DENY_MS } from '../../src/model/ruling.js';
import { DENIES, endDeny, followDenies, startDeny } from '../../src/operator/denies.js';
import { orderQuarantine } from '../../src/operator/order-quarantine.js';
import { readRulings, restoreRulings } from '../../src/operator/ruling-store.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { createSelection } from '../../src/plan/selection.js';
import { inputOf } from '../../src/state/fleet.js';
import { WorldState } from '../../src/state/world-state.js';
import { entry, mapping, NOW, named, SETTINGS, source } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const HOUR = 3_600_000;
const ANA = localPerson('ana');
const BOB = { id: 'token:bob' };
const WEB = { source: 'web', destination: 'orders', partition: 'default', namespace: 'default' };
const ASKED = { reason: 'INC-1', forMs: HOUR };

function start(approvers: 1 | 2 = 1) {
  const world = worldWithTwo();
  world.setMapping({ ...world.mapping, approvers });
  const all = depsOf(world, {});
  let now = NOW;
  const clock = { now: () => now, sleep: async () => {} };
  const deps = { ...all.deps, clock };
  const advance = (ms: number) => {
    now += ms;
  };
  const plan = () => planDestination(inputOf(world, named('orders'), now));
  return { ...all, deps, world, plan, advance };
}

it('is prolonged by another one, and never shortened', async () => {
  const { deps, world } = start();
  await startDeny(WEB, { reason: 'a', forMs: 2 * HOUR }, ANA, deps);
  await startDeny(WEB, ASKED, BOB, deps);
  expect(world.denies.all).toMatchObject([{ until: NOW + 2 * HOUR, by: BOB }]);
  await startDeny(WEB, { reason: 'c', forMs: 3 * HOUR }, ANA, deps);
  expect(world.denies.all).toMatchObject([{ until: NOW + 3 * HOUR }]);
  await startDeny(WEB, { reason: 'd', forMs: 1e15 }, ANA, deps);
  expect(world.denies.all).toMatchObject([{ until: NOW + LONGEST_DENY_MS }]);
});

it('asks for the plan of its destination before everything else, and names the person', async () => {
  const { deps, added, decisions, plan } = start();
  await startDeny(WEB, ASKED, ANA, deps);
  expect(added).toMatchObject([{ key: { service: 'orders' }, urgent: true, loses: true }]);
  expect(decisions).toMatchObject(
    [{ reason: 'PersonDenied', outcome: 'observed', cause: { principal: ANA }, detail: /INC-1/ }].map(
      ({ detail, ...rest }) => ({ ...rest, detail: expect.stringMatching(detail) }),
    ),
  );
  expect(plan().changes).toMatchObject([{ reason: 'PersonDenied', ruling: { by: ANA } }]);
});

it('is restored by the next process, and ends by its clock with one decision', async () => {
  const { deps, world, added, decisions, advance, plan } = start();
  await startDeny(WEB, ASKED, ANA, deps);
  world.denies.set([]);
  await restoreRulings(DENIES, deps);
  expect(world.denies.all).toHaveLength(1);
  advance(HOUR - 1);
  await followDenies(deps);
  expect([world.denies.all.length, plan().changes.length]).toEqual([1, 1]);
  added.length = 0;
  advance(1);
  expect(plan().changes).toEqual([]);
  await followDenies(deps);
  await followDenies(deps);
  expect(added).toMatchObject([{ key: { service: 'orders' } }, { key: { service: 'orders' } }]);
  expect([world.denies.all, await readRulings(DENIES, deps)]).toEqual([[], []]);
  expect(decisions.map(({ reason }) => reason)).toEqual(['PersonDenied', 'DenyEnded']);
});

it('follows the store, where a write whose answer was lost may have been made', async () => {
  const { deps, world, added } = start();
  const settle = async (...call: Parameters<typeof deps.journal.settle>) => {
    await deps.journal.settle(...call);
    throw new Error('no answer');
  };
  const lost = { ...deps, journal: { ...deps.journal, settle } };
  await expect(startDeny(WEB, ASKED, ANA, lost)).rejects.toThrow('no answer');
  expect([world.denies.all, added]).toEqual([[], []]);
  await followDenies(deps);
  expect([world.denies.all.length, added.length]).toEqual([1, 1]);
});

it('is remembered after its early end until its time is over, so that no mark brings it back', async () => {
  const { deps, world, decisions, advance, plan } = start();
  await startDeny(WEB, ASKED, ANA, deps);
  expect(await endDeny(WEB, 'solved', ANA, deps)).toMatchObject({ kind: 'done' });
  expect(plan().changes).toEqual([]);
  await followDenies(deps);
  expect(world.denies.all).toMatchObject([{ endedAt: NOW }]);
  expect(await endDeny(WEB, 'again', ANA, deps)).toMatchObject({ kind: 'unknown' });
  advance(HOUR);
  await followDenies(deps);
  expect([world.denies.all, decisions.length]).toEqual([[], 2]);
});

it('is ended early by as many persons as every release', async () => {
  const { deps, plan } = start(2);
  expect(await startDeny(WEB, ASKED, BOB, deps)).toMatchObject({ kind: 'done' });
  expect(await endDeny(WEB, 'x', ANA, deps)).toMatchObject({ kind: 'first' });
  expect(await endDeny(WEB, 'x', localPerson('carl'), deps)).toMatchObject({ kind: 'refused' });
  // Another deny is another one: an end that one person wanted before does not count for it.
  await startDeny(WEB, { reason: 'again', forMs: 2 * HOUR }, BOB, deps);
  expect(await endDeny(WEB, 'x', BOB, deps)).toMatchObject({ kind: 'first' });
  expect(plan().changes).toHaveLength(1);
  expect(await endDeny(WEB, 'x', ANA, deps)).toMatchObject({ kind: 'done' });
});

it('that only its mark in Consul knows can be ended, and a mark from nowhere is none', async () => {
  const { deps, world, plan } = start();
  let modifyIndex = 7;
  const marked = (until: number) => {
    const mark = `scopemesh:pay deny=${new Date(until).toISOString()} client=main/web`;
    modifyIndex += 1;
    return { ...entry('orders', source('web', { kind: 'deny' }, mark)), modifyIndex };
  };
  world.putEntries([marked(NOW + HOUR)], NOW);
  expect(plan().holds).toMatchObject([{ reason: 'PersonDenied' }]);
  expect(await endDeny(WEB, 'x', ANA, deps)).toMatchObject({ kind: 'done' });
  expect(plan().changes.map(({ reason }) => reason)).toContain('DenyEnded');
  world.denies.set([]);
  world.putEntries([marked(NOW + 2 * LONGEST_DENY_MS)], NOW);
  expect(await endDeny({ ...WEB, source: 'api' }, 'x', ANA, deps)).toMatchObject({ kind: 'unknown' });
});

it('that only its mark in Consul knows is not shortened by one person', async () => {
  const { deps, world } = start(2);
  const mark = `scopemesh:pay deny=${new Date(NOW + HOUR).toISOString()} client=main/web`;
  world.putEntries([{ ...entry('orders', source('web', { kind: 'deny' }, mark)), modifyIndex: 8 }], NOW);
  await startDeny(WEB, { reason: 'a', forMs: 1_000 }, ANA, deps);
  expect(world.denies.all).toMatchObject([{ until: NOW + HOUR }]);
});

it('does not wait for a first read of Consul to know the names', async () => {
  const world = new WorldState(mapping(), SETTINGS);
  const { deps } = depsOf(world, {});
  expect(await startDeny({ ...WEB, source: 'new' }, ASKED, ANA, deps)).toMatchObject({ kind: 'done' });
});

it.each([
  ['a mode that closes nothing', { mode: 'extend' }, /mode is extend/],
  ['a mode that writes nothing', { mode: 'observe' }, /mode is observe/],
] as const)('is refused in %s', async (_, settings, why) => {
  const { deps, world, decisions } = start();
  world.setMapping({ ...world.mapping, ...settings });
  expect(await startDeny(WEB, ASKED, ANA, deps)).toMatchObject({ why: expect.stringMatching(why) });
  const asked = await orderQuarantine({ provider: 'main', clientId: 'web' }, 'x', ANA, deps);
  expect(asked.kind).toBe(settings.mode === 'extend' ? 'refused' : 'done');
  expect(decisions).toEqual([]);
});

it('a person orders the quarantine of a known client, durably, with the reason', async () => {
  const { deps, world, added } = start();
  const order = (provider: string, clientId: string) =>
    orderQuarantine({ provider, clientId }, 'INC-3', ANA, deps);
  expect(await order('main', 'wbe')).toMatchObject({ kind: 'unknown' });
  expect(await order('mian', 'web')).toMatchObject({ kind: 'unknown' });
  expect(added).toEqual([]);
  const { mapping: selected } = world;
  world.setMapping({ ...selected, select: createSelection({ clients: ['api'] }) });
  expect(await order('main', 'web')).toEqual({
    ...{ kind: 'refused', why: 'main/web is outside select; ask the instance that manages it' },
  });
  world.setMapping(selected);
  expect(added).toEqual([]);
  expect(await order('main', 'web')).toMatchObject({ kind: 'done' });
  expect(added).toMatchObject([
    {
      key: { value: 'web' },
      urgent: true,
      order: { kind: 'secret-compromised', reason: 'INC-3', cause: { principal: ANA } },
    },
  ]);
});
