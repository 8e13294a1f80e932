import { describe, expect, test } from 'vitest';
import type { BreakGlass } from '../../src/model/break-glass.js';
import { BreakGlasses } from '../../src/state/break-glasses.js';
import { named } from '../plan/scene.js';

const glass = (changes: Partial<BreakGlass> = {}): BreakGlass => ({
  id: '1',
  source: 'web',
  destination: 'orders',
  partition: 'default',
  namespace: 'default',
  reason: 'incident 7',
  forMs: 60_000,
  duringFreeze: false,
  askedAt: 0,
  askedBy: { id: 'alice' },
  ...changes,
});
const quiet = () => new BreakGlasses(() => {});

describe('the time by which break-glass grants end', () => {
  test('goes on where it was if the clock is set back', () => {
    const grants = quiet();
    expect([1_000, 400, 500].map((now) => grants.advance(now))).toEqual([1_000, 1_000, 1_100]);
    expect(grants.timeAt(600)).toBe(1_200);
  });
});

test('the grants of an edge are those between its two services, in their place', () => {
  const touched: string[] = [];
  const grants = new BreakGlasses((from, to) => touched.push(`${from.name} ${to.name}`));
  const [ofWeb, ofApi] = [glass(), glass({ id: '2', source: 'api', destination: 'pay' })];
  const elsewhere = glass({ id: '3', partition: 'east' });
  grants.set([ofWeb, ofApi, elsewhere]);
  expect(grants.of(named('Orders'))).toEqual([ofWeb]);
  expect(grants.destinationsOf(named('web'))).toEqual([named('orders')]);
  grants.set([ofApi]);
  expect(grants.all).toEqual([ofApi]);
  expect(touched).toEqual([
    'web orders',
    'api pay',
    'web orders',
    'web orders',
    'api pay',
    'web orders',
    'api pay',
  ]);
});
