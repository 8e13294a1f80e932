import { expect, it } from 'vitest';
import { lookAgain } from '../../src/apply/look-again.js';
import { destinationKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { draft } from '../conformance/journal.js';

const BEGAN = Date.parse('2026-01-01T00:00:00.000Z');
const SECOND = 1_000;
const ORDERS = destinationKey('orders');

/** When the key comes again, in seconds, after a run with a draft that was recorded so many seconds before it began. */
async function againAfter(recordedBefore: number | undefined, tookMs: number, aclMs = 0) {
  const later: number[] = [];
  const pending =
    recordedBefore === undefined
      ? []
      : [{ ...draft('a'), recordedAt: new Date(BEGAN - recordedBefore * SECOND).toISOString() }];
  const deps = {
    journal: { read: async () => ({ pending, lastApplied: new Map(), holds: new Map() }) },
    acl: { inFlightMs: () => aclMs },
    clock: { now: () => BEGAN + tookMs },
    queue: {
      addLater(trigger: Trigger, afterMs: number) {
        const receivedAt = new Date(BEGAN + tookMs).toISOString();
        expect(trigger).toEqual({ key: ORDERS, cause: { kind: 'resync', receivedAt } });
        later.push(afterMs / SECOND);
      },
    },
  };
  await lookAgain(ORDERS, BEGAN, deps);
  return later;
}

it('A key with a write whose answer was lost comes again once the time of its request is over', async () => {
  expect(await againAfter(10, 0)).toEqual([20]);
  expect(await againAfter(10, 0, 25 * SECOND)).toEqual([25]);
  expect(await againAfter(31, 0)).toEqual([]);
  expect(await againAfter(undefined, 0)).toEqual([]);
});

it('It comes again also if that time ended while the run went on, which judged it before', async () => {
  expect(await againAfter(29, 5 * SECOND)).toEqual([1]);
});
