import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ruling } from '../../../src/plan/guards/guard.js';
import { destinationShare, revocationLimit } from '../../../src/plan/guards/revocation-limit.js';
import { clientText } from '../../../src/plan/world.js';
import { RevocationWindow } from '../../../src/state/revocation-window.js';
import { runsOf } from '../../support/soak.js';
import { guarded } from '../guarded.js';
import { claiming, client, mapping, planOf, plansOf, rule, type Scene, scene, sceneAfter } from '../scene.js';

const limits = (percent: number, atLeast: number) => ({ percent, atLeast, windowMs: 1_000 });

test.each([
  ['the floor counts in a small fleet', 20, 10, 5, 10],
  ['the share counts in a large one', 20, 10, 100, 20],
  ['a share is rounded down', 20, 1, 9, 1],
  ['nothing may go where both are zero', 0, 0, 100, 0],
])('%s', (_, percent, atLeast, owned, limit) => {
  expect(revocationLimit({ maxRevocations: limits(percent, atLeast), ownedAtStart: owned })).toBe(limit);
});

/** A fleet of services with one edge each; each test says what happens to each. */
function fleet(size: number): Scene {
  const names = Array.from({ length: size }, (_, index) => `s${index}`);
  const before = scene({
    mapping: mapping({
      rules: [rule('to:{d}', '{d}')],
      maxRevocations: { percent: 20, atLeast: 3, windowMs: 1_000 },
    }),
    clients: names.map((name, index) => client(name, [`to:d${index % 4}`])),
    services: names.map((name) => claiming(name, name)),
  });
  return sceneAfter(before, plansOf(before));
}

const BUDGET = { ownedAtStart: 8, used: 0, planned: 0, maxRevocations: limits(20, 3) };

describe('the mass guard', () => {
  test('holds every inferred removal above the limit and nothing else', () => {
    const before = fleet(8);
    const closed = new Map([
      [clientText({ provider: 'main', clientId: 's0' }), 'ClientQuarantined' as const],
    ]);
    const after: Scene = {
      ...before,
      clients: [client('s0', ['to:d0']), client('s4', ['to:d0', 'to:d9'])],
      clientBlocks: closed,
      services: [...before.services, claiming('new', 's4')],
    };
    const plans = plansOf(after).map((plan) => guarded(plan, { budget: { ...BUDGET, planned: 6 } }));
    const changes = plans.flatMap((plan) => plan.changes);
    expect(changes.map((change) => [change.source.name, change.reason])).toEqual([
      ['s0', 'ClientQuarantined'],
      ['s4', 'ScopeGranted'],
    ]);
    const held = plans.flatMap((plan) => plan.holds);
    expect(held.map((hold) => hold.reason)).toEqual([
      'ClientQuarantined',
      ...Array(6).fill('RevocationLimit'),
    ]);
    expect(held[1]?.detail).toContain('6 of 8 edges');
  });

  test('lets inferred removals within the limit through', () => {
    const before = fleet(8);
    const plan = planOf({ ...before, clients: before.clients.slice(3) }, 'd0');
    const budget = { ...BUDGET, planned: 3 };
    expect(guarded(plan, { budget }).changes).toEqual(plan.changes);
    expect(guarded(plan, { budget: { ...budget, used: 1 } }).changes).toEqual([]);
  });

  test('lets what was approved pass above the limit, and holds what was rejected below it', () => {
    const before = fleet(8);
    const clients = before.clients.filter(({ clientId }) => clientId !== 's0' && clientId !== 's4');
    const plan = planOf({ ...before, clients }, 'd0');
    const [first, second] = plan.changes;
    expect([first?.source.name, second?.source.name]).toEqual(['s0', 's4']);
    const ruled = (verdict: Ruling['verdict'], at = second) =>
      new Map([[at?.subject ?? '', { verdict, by: { id: 'bob' }, at: '2026-01-01T00:00:00.000Z' }]]);
    const none = { ...BUDGET, used: 3, planned: 2 };
    const passing = guarded(plan, { budget: none, rulings: ruled('approved', first) });
    expect(passing.changes).toMatchObject([{ source: { name: 's0' }, approvedBy: { id: 'bob' } }]);
    expect(passing.holds).toMatchObject([{ reason: 'RevocationLimit', resource: { source: 's4' } }]);
    expect(passing.used).toMatchObject([{ subject: first?.subject }]);
    expect([passing.counted, [...passing.rejections]]).toEqual([[first?.subject], []]);

    const within = guarded(plan, { budget: { ...none, used: 0 }, rulings: ruled('rejected') });
    expect(within.changes.map((change) => change.source.name)).toEqual(['s0']);
    expect(within.holds).toMatchObject([
      { reason: 'RevocationLimit', detail: expect.stringContaining('bob rejected this removal') },
    ]);
    expect([within.counted, within.used]).toEqual([[first?.subject], []]);
    expect([...within.rejections]).toMatchObject([[second?.subject, { by: { id: 'bob' } }]]);
    // What the identity provider itself reported is no inference, and needs no approval.
    const explicit = { ...plan, changes: plan.changes.map((change) => ({ ...change, isInferred: false })) };
    expect(guarded(explicit, { rulings: ruled('rejected') }).changes).toEqual(explicit.changes);
  });

  test('holds what one destination would use beyond its half, and counts that half for the others', () => {
    const before = fleet(16);
    const clients = before.clients.slice(0, 12).filter(({ clientId }) => clientId !== 's0');
    const plan = planOf({ ...before, clients: clients.filter(({ clientId }) => clientId !== 's4') }, 'd0');
    expect(plan.changes.map(({ source }) => source.name)).toEqual(['s0', 's12', 's4']);
    const budget = { ...BUDGET, maxRevocations: limits(0, 6), planned: 3 };
    const at = (used: number, planned: number) =>
      guarded(plan, { budget: { ...budget, here: { used, planned } } });
    expect(at(0, 3).changes).toEqual(plan.changes);
    expect(at(1, 3).changes).toEqual([]);
    expect(at(1, 3).holds[0]?.detail).toContain(
      'more than 3 edges of one destination would lose access within 1 s only because they are missing from a read; one destination may use 3 of the limit of 6',
    );
    // A rejected removal counts although it is not made.
    expect(at(0, 4).changes).toEqual([]);
    expect([0, 1, 2, 3, 10].map(destinationShare)).toEqual([0, 1, 1, 1, 5]);
  });

  test('gives one number to everything that one cause holds, whatever the share of a destination', () => {
    const plan = planOf({ ...fleet(16), clients: [] }, 'd0');
    const at = (here: number) =>
      guarded(plan, {
        budget: { ...BUDGET, planned: 5, lost: 9, ownedAtStart: 12, here: { used: 0, planned: here } },
      });
    const details = [1, 4].flatMap((here) => at(here).holds.map(({ detail }) => detail));
    expect(new Set(details).size).toBe(1);
    expect(details[0]).toContain('9 of 12 edges, clients and memberships would lose access');
  });

  test('never trusts a count of the fleet that is below the plan itself', () => {
    const before = fleet(16);
    const plan = planOf({ ...before, clients: [] }, 'd0');
    expect(plan.changes).toHaveLength(4);
    const { changes, holds } = guarded(plan, { budget: { ...BUDGET, ownedAtStart: 4 } });
    expect(changes).toEqual([]);
    expect(holds[0]?.detail).toContain('the limit is 3');
  });

  test('never lets more than the limit through within a window, and never holds what is explicit', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 700 }),
      missing: fc.uniqueArray(fc.nat({ max: 19 }), { maxLength: 6 }),
      disabled: fc.uniqueArray(fc.nat({ max: 19 }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        let state = fleet(20);
        let now = 1_000_000;
        const window = new RevocationWindow(1_000);
        const made: { at: number; limit: number }[] = [];
        for (const { afterMs, missing, disabled } of steps) {
          now += afterMs;
          const clients = state.clients
            .filter((each) => !missing.includes(Number(each.clientId.slice(1))))
            .map((each) =>
              disabled.includes(Number(each.clientId.slice(1))) ? { ...each, enabled: false } : each,
            );
          state = { ...state, clients };
          for (const { key } of plansOf(state)) {
            if (key.kind !== 'destination') continue;
            const all = plansOf(state);
            const planned = all.flatMap((each) => each.changes).filter((change) => change.isInferred).length;
            const owned = [...state.entries.values()].flatMap((each) => each.sources).length;
            const used = window.used(now);
            const raw = planOf(state, key.service);
            const { maxRevocations } = state.mapping;
            const budget = { ownedAtStart: owned + used, used, planned, maxRevocations };
            const plan = { ...raw, changes: guarded(raw, { budget }).changes };
            const explicit = raw.changes.filter((change) => !change.isInferred);
            expect(plan.changes).toEqual(expect.arrayContaining(explicit));
            const inferred = plan.changes.filter((change) => change.isInferred).length;
            window.addRemovals(inferred, now);
            const limit = revocationLimit(budget);
            for (let count = 0; count < inferred; count++) made.push({ at: now, limit });
            const within = made.filter(({ at }) => at > now - 1_000);
            if (inferred > 0) expect(within.length).toBeLessThanOrEqual(limit);
            state = sceneAfter(state, [plan]);
          }
        }
      }),
      runsOf(60, 20),
    );
  });
});
