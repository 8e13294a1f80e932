import { describe, expect, it, vi } from 'vitest';
import { destinationKey, formatKey } from '../../src/model/key.js';
import type { Loss } from '../../src/plan/guards/guard.js';
import { intentionSubject } from '../../src/plan/plan.js';
import {
  budgetOf,
  fleetGuardFacts,
  inferredAcrossFleet,
  inputOf,
  planFleet,
  planInFleet,
  planningFleet,
  usedHere,
} from '../../src/state/fleet.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  client,
  DENY,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  SETTINGS,
  source,
} from '../plan/scene.js';
import { fleetOf } from './fleet-events.js';

it('plans a large fleet destination by destination, with the same result as in one', () => {
  const { world, window } = fleetOf(120);
  // No source of an entry is as it should be.
  world.putEntries([], NOW + 1);
  const planning = planningFleet(world, window, () => NOW);
  let pieces = 1;
  let next = planning.next();
  for (; next.done !== true; next = planning.next()) pieces++;
  // 120 destinations are planned and then guarded.
  expect(pieces).toBe(2 * 120 + 1);
  expect(next.value).toEqual(planFleet(world, window, NOW));
  expect(next.value.flatMap(({ changes }) => changes).length).toBeGreaterThanOrEqual(120);
});

it('plans one destination as the fleet has it', () => {
  const { world, window } = fleetOf(30);
  const [first = named('none')] = world.destinations(NOW);
  for (const change of [
    () => {},
    () => world.putEntries([], NOW + 1),
    () => world.putDirectory('main', [], world.beginRead(), NOW),
  ]) {
    change();
    const plans = planFleet(world, window, NOW);
    for (const destination of [first, ...world.destinations(NOW)]) {
      const key = formatKey(destinationKey(destination.name));
      const { key: _, ...plan } = plans.find((each) => formatKey(each.key) === key) ?? { key };
      expect(planInFleet(world, window, destination, NOW)).toMatchObject(plan);
    }
  }
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

it('holds what the whole fleet would lose by one read if that is more than the limit, and nothing below it', () => {
  const { world, window } = fleetOf(120);
  const planned = () => {
    const plans = planFleet(world, window, NOW);
    return {
      narrowed: plans.flatMap(({ changes }) => changes.filter(({ narrows }) => narrows)).length,
      held: new Set(plans.flatMap(({ holds }) => holds.map(({ reason, detail }) => `${reason} ${detail}`))),
    };
  };
  world.putClient({ provider: 'main', clientId: 'c100' }, undefined, world.beginRead());
  expect(planned()).toEqual({ narrowed: 1, held: new Set() });
  // What was removed within the window counts too.
  window.addRemovals(42, NOW - 599_000);
  expect(planned().narrowed).toBe(0);
  window.restore('[]');
  world.putDirectory('main', [client('c1', [])], world.beginRead(), NOW);
  const { narrowed, held } = planned();
  expect(narrowed).toBe(0);
  expect(held.size).toBe(1);
  expect([...held][0]).toMatch(/^RevocationLimit 170 of 170 edges, .* the limit is 34/);
});

it('holds what would make an entry too large', () => {
  const { world, window } = fleetOf(3);
  world.putEntries([], NOW + 1);
  const sizes = vi.fn((_: unknown, changes: readonly unknown[]) => (changes.length > 1 ? 1e9 : 1));
  const plans = planFleet(world, window, NOW, undefined, sizes);
  const held = plans.flatMap(({ holds }) => holds);
  expect(held.length).toBeGreaterThan(0);
  expect(new Set(held.map(({ reason }) => reason))).toEqual(new Set(['EntryTooLarge']));
  for (const { changes } of plans) expect(changes).toHaveLength(1);
  expect(sizes.mock.calls[0]?.[0]).toMatchObject({ destination: { name: expect.any(String) } });
  expect(planFleet(world, window, NOW).flatMap(({ holds }) => holds)).toEqual([]);
});

it('plans a destination with its own entry and the wildcard entry of its place', () => {
  const { world } = fleetOf(3);
  const wildcard = entry('*', source('web', DENY));
  const own = { ...entry('d1', ourSource('s1', ALLOW, 'c1')), modifyIndex: 99 };
  world.putEntries([own, wildcard], NOW);
  expect(inputOf(world, named('d1'), NOW)).toMatchObject({ entry: own, wildcard, evidence: [] });
  expect(inputOf(world, { ...named('d1'), namespace: 'other' }, NOW).wildcard).toBeUndefined();
});

it('compares what was and would be removed, edges and ACL objects, with all that existed at the start of the window', () => {
  const { world } = fleetOf(120);
  const window = new RevocationWindow(600_000);
  window.addRemovals(4, NOW);
  const planned = (share: number) => (share === Number.POSITIVE_INFINITY ? 30 : share);
  // One of the two is made in part, and the window counts it.
  const acl = { owned: 7, planned: 2, begun: 1 };
  const ownedAtStart = world.owned.count + 7 + 3;
  expect(budgetOf(world, window, NOW, planned, acl)).toEqual({
    used: 3,
    // Half of the limit of one fifth.
    planned: Math.floor(Math.floor(ownedAtStart / 5) / 2) + 2,
    lost: 3 + 30 + 2,
    ownedAtStart,
    maxRevocations: world.mapping.maxRevocations,
  });
});

it('does not count a removal that somebody rejected more than a window ago', () => {
  const { world, window } = fleetOf(120);
  for (const clientId of ['c100', 'c101'])
    world.putClient({ provider: 'main', clientId }, undefined, world.beginRead());
  const counted = () => [
    inferredAcrossFleet(world, window, NOW),
    planFleet(world, window, NOW).flatMap(({ holds }) => holds).length,
  ];
  expect(counted()).toEqual([2, 0]);
  window.addRemovals(41, NOW);
  // The limit is 42: one more may be removed, and not both.
  expect(counted()).toEqual([2, 2]);
  const at = new Date(NOW - 700_000).toISOString();
  window.rejections.put('k', new Map([[intentionSubject(named('d100'), 's100'), { by: { id: 'ana' }, at }]]));
  expect(counted()).toEqual([1, 1]);
});

it('counts for the share of a destination what was removed there, and not at one with a longer name', () => {
  const window = new RevocationWindow(600_000);
  const subject = (destination: string, name: string) => `intention/default/default/${destination}/${name}`;
  for (const each of [subject('orders', 'x'), subject('orders', 'y'), subject('orders-2', 'x')]) {
    window.reserveEdge(each, NOW);
    window.confirmEdge(each);
  }
  const lost = ['a', 'b', 'c'].map((name) => ({ subject: subject('orders', name) }));
  expect(usedHere(lost, window, NOW)).toEqual({ here: { used: 2, planned: 3 } });
});

describe('the facts for plans of the whole fleet', () => {
  const window = new RevocationWindow(600_000);
  const subject = (name: string) => `intention/default/default/orders/${name}`;
  const at = new Date(NOW).toISOString();

  it('have what persons rejected, and nothing that is contended, low or opening', () => {
    window.rejections.put('k', new Map([[subject('a'), { by: { id: 'ana' }, at }]]));
    const world = new WorldState(mapping(), SETTINGS);
    const losses = [subject('a'), subject('b')].map((each) => ({ subject: each }) as Loss);
    const budget = { used: 0, planned: 0, ownedAtStart: 0, maxRevocations: mapping().maxRevocations };
    const facts = fleetGuardFacts(losses, budget, { world, window }, NOW);
    expect([...facts.rulings]).toEqual([[subject('a'), { by: { id: 'ana' }, at, verdict: 'rejected' }]]);
    expect(facts).toMatchObject({ budget, freeze: undefined, isStoreLow: false, opening: new Set() });
    expect([facts.isContended(subject('a')), facts.policy.writes]).toEqual([false, true]);
  });

  it('count at a destination only the losses there that are inferred', () => {
    const fresh = new RevocationWindow(600_000);
    expect(usedHere([], fresh, NOW)).toEqual({});
    expect(usedHere([{ subject: subject('a'), isUnrecorded: true }], fresh, NOW)).toEqual({});
    expect(
      usedHere(
        [{ subject: subject('a') }, { subject: subject('b') }, { subject: subject('c'), isUnrecorded: true }],
        fresh,
        NOW,
      ),
    ).toEqual({
      here: { used: 0, planned: 2 },
    });
  });
});
