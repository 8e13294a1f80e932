import { describe, expect, test } from 'vitest';
import { InferredRemovals } from '../../src/state/inferred-removals.js';

describe('inferred removals', () => {
  const counted = () => {
    const removals = new InferredRemovals();
    const desired = new Map([
      ['orders', ['a', 'b']],
      ['stock', ['c']],
      ['vault', []],
    ]);
    const planned: string[] = [];
    const update = (limit?: number) =>
      removals.update(
        () => desired.keys(),
        (key) => {
          planned.push(key);
          return desired.get(key) ?? [];
        },
        limit,
      );
    return { removals, desired, update, takePlanned: () => planned.splice(0) };
  };

  test('are planned once, and again only where something was touched', () => {
    const { removals, desired, update, takePlanned } = counted();
    expect(update()).toBe(true);
    expect(removals.total(9)).toBe(3);
    expect(takePlanned()).toEqual(['orders', 'stock', 'vault']);
    update();
    expect(takePlanned()).toEqual([]);
    desired.set('orders', ['b']);
    removals.touch('orders');
    update();
    expect(takePlanned()).toEqual(['orders']);
    expect(removals.total(9)).toBe(2);
    expect([removals.lossOf('a'), removals.lossOf('b')]).toEqual([undefined, { key: 'orders', removals: 1 }]);
  });

  test('are all planned again once everything may differ, also those of removed keys', () => {
    const { removals, desired, update, takePlanned } = counted();
    update();
    takePlanned();
    desired.delete('stock');
    removals.touchAll();
    update();
    expect(takePlanned()).toEqual(['orders', 'vault', 'stock']);
    expect(removals.total(9)).toBe(2);
  });

  test('are all planned again instead of accumulating keys while nobody asks', () => {
    const { removals, update, takePlanned } = counted();
    update();
    takePlanned();
    for (let at = 0; at < 5_000; at++) removals.touch(`gone ${at}`);
    update();
    expect(takePlanned().length).toBeLessThan(1_000);
  });

  test('can be counted in parts', () => {
    const { removals, update, takePlanned } = counted();
    expect(update(2)).toBe(false);
    removals.touch('orders');
    expect(update(2)).toBe(true);
    expect(takePlanned()).toEqual(['orders', 'stock', 'vault', 'orders']);
    expect(removals.total(9)).toBe(3);
  });
});

test('A key counts no more removals than its share', () => {
  const removals = new InferredRemovals();
  const subjects = new Map([
    ['orders', ['a', 'b', 'c', 'd']],
    ['stock', ['e']],
  ]);
  removals.update(
    () => subjects.keys(),
    (key) => subjects.get(key) ?? [],
  );
  expect([removals.total(9), removals.total(2)]).toEqual([5, 3]);
  subjects.set('orders', []);
  removals.touch('orders');
  removals.update(
    () => subjects.keys(),
    (key) => subjects.get(key) ?? [],
  );
  expect(removals.total(2)).toBe(1);
});
