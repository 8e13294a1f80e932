import { EventEmitter, once } from 'node:events';
import { expect, test } from 'vitest';
import { ReadsUnderWay } from '../../src/read/reads-under-way.js';

const KEY = 'destination/default/default/orders';

/** A read that ends, or fails, on request. */
function readOf(reads: ReadsUnderWay) {
  const answers = new EventEmitter();
  const reading = reads.run(() => once(answers, 'end')).catch(() => {});
  return {
    end: async () => {
      answers.emit('end');
      await reading;
    },
    fail: async () => {
      answers.emit('error', new Error('no answer'));
      await reading;
    },
  };
}

test('nobody waits if nothing is being read', () => {
  expect(new ReadsUnderWay().waitMs(KEY, 0)).toBeUndefined();
});

test('a key waits for each read that had begun when it asked first, also for one that fails, and for no later one', async () => {
  const reads = new ReadsUnderWay();
  const [first, second] = [readOf(reads), readOf(reads)];
  expect(reads.waitMs(KEY, 0)).toBe(20);
  readOf(reads);
  await first.end();
  expect(reads.waitMs(KEY, 50)).toBe(50);
  await second.fail();
  expect(reads.waitMs(KEY, 60)).toBeUndefined();
});

test('a key waits no longer than half a second, and asks again soon enough to stay the same run', () => {
  const reads = new ReadsUnderWay();
  readOf(reads);
  expect([0, 30, 400, 500].map((at) => reads.waitMs(KEY, at))).toEqual([20, 30, 100, undefined]);
});

test('a key waits no longer than half a second, also if one read follows another', async () => {
  const reads = new ReadsUnderWay();
  const first = readOf(reads);
  expect(reads.waitMs(KEY, 0)).toBe(20);
  await first.end();
  readOf(reads);
  expect(reads.waitMs(KEY, 20)).toBeUndefined();
});

test('a key that stopped waiting waits again for a later loss', () => {
  const reads = new ReadsUnderWay();
  readOf(reads);
  expect([0, 5_000].map((at) => reads.waitMs(KEY, at))).toEqual([20, 20]);
});

test('each key waits for itself', () => {
  const reads = new ReadsUnderWay();
  readOf(reads);
  expect(reads.waitMs(KEY, 0)).toBe(20);
  expect(reads.waitMs('destination/default/default/api', 499)).toBe(20);
  expect(reads.waitMs(KEY, 500)).toBeUndefined();
});
