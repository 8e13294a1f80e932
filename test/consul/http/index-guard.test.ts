import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createIndexGuard, type IndexGuard } from '../../../src/consul/http/index-guard.js';
import { silentLogger } from '../../../src/observe.js';

const INCOMPLETE = expect.objectContaining({ code: 'ERR_CONSUL_INCOMPLETE' });

let now: number;
let guard: IndexGuard;
beforeEach(() => {
  now = 1_000_000_000;
  guard = createIndexGuard({ ...systemClock, now: () => now }, silentLogger);
  guard.check('intentions.list', 100);
});

describe('an index that went back', () => {
  it('is rejected for five seconds, and then accepted', () => {
    expect(() => guard.check('intentions.list', 50)).toThrow(INCOMPLETE);
    now += 4_999;
    expect(() => guard.check('intentions.list', 50)).toThrow(INCOMPLETE);
    now += 1;
    guard.check('intentions.list', 50);
    expect(guard.highest('intentions.list')).toBe(50);
  });
});
