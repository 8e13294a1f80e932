import { describe, expect, it } from 'vitest';
import { serviceText } from '../../src/plan/world.js';
import { HoldBudget } from '../../src/state/hold-budget.js';
import { NOW } from '../plan/scene.js';

const DAY_MS = 24 * 3600_000;
const named = (name: string) => serviceText({ partition: 'default', namespace: 'default', name });

describe('the budget of claim holds', () => {
  it('lets one service make ten holds at once and then six an hour, and counts the others', () => {
    const budget = new HoldBudget();
    let [recorded, counted] = [0, 0];
    let asked = 0;
    for (let now = NOW; now < NOW + DAY_MS; now += 10_000, asked++) {
      const more = budget.take(named('mallory'), now);
      if (more === undefined) continue;
      recorded++;
      counted += more;
    }
    expect(recorded).toBeLessThanOrEqual(10 + 24 * 6);
    const left = budget.suppressed(NOW + DAY_MS).reduce((sum, each) => sum + each.holds, 0);
    expect(recorded + counted + left).toBe(asked);
  });

  it('is not used up for another service', () => {
    const budget = new HoldBudget();
    while (budget.take(named('mallory'), NOW) !== undefined);
    expect(budget.take(named('web'), NOW)).toBe(0);
  });

  it('stays used up while others hold', () => {
    const budget = new HoldBudget();
    while (budget.take(named('mallory'), NOW) !== undefined);
    for (let at = 0; at < 20; at++) budget.take(named(`web-${at}`), NOW);
    expect(budget.take(named('mallory'), NOW)).toBeUndefined();
  });

  it('lets all services together make ten thousand holds, however often a name is changed', () => {
    const budget = new HoldBudget();
    let recorded = 0;
    for (let at = 0; at < 30_000; at++)
      if (budget.take(named(`mallory-${at}`), NOW) !== undefined) recorded++;
    expect(recorded).toBe(10_000);
    expect(budget.suppressed(NOW).length).toBeLessThanOrEqual(10_000);
  });

  it('says how many may be recorded, of one service and of all', () => {
    const budget = new HoldBudget({ burst: 3, everyMs: 1_000 });
    const room = (name: string, ms = 0) => budget.room(named(name), NOW + ms);
    budget.take(named('web'), NOW);
    expect([room('web'), room('api'), room('web', 999), room('web', 1_000)]).toEqual([2, 3, 2, 3]);
    for (let at = 0; at < 9_998; at++) budget.take(named(`other-${at}`), NOW + 1_000);
    expect([room('web', 1_000), room('api', 1_000)]).toEqual([1, 1]);
  });

  it('says when a hold that was not recorded may be', () => {
    const budget = new HoldBudget();
    for (let at = 0; at < 12; at++) budget.take(named('mallory'), NOW);
    const service = 'default/default/mallory';
    expect(budget.suppressed(NOW)).toEqual([{ service, holds: 2, isDue: false }]);
    expect(budget.suppressed(NOW + 600_000)).toEqual([{ service, holds: 2, isDue: true }]);
    expect(budget.take(named('mallory'), NOW + 600_000)).toBe(2);
    expect(budget.suppressed(NOW + 600_000)).toEqual([]);
  });
});
