import { EventEmitter, once } from 'node:events';
import { expect, test } from 'vitest';
import { ReadsUnderWay } from '../../src/read/reads-under-way.js';

const never = { sleep: () => new Promise<void>(() => {}) };

test('resolves at once if nothing is being read', async () => {
  await new ReadsUnderWay().ended(never);
});

test('waits for each read that has begun, also for one that fails, and not for a later one', async () => {
  const reads = new ReadsUnderWay();
  const [first, second] = [new EventEmitter(), new EventEmitter()];
  const seen: string[] = [];
  const reading = [
    reads.run(() => once(first, 'end')).then(() => seen.push('first')),
    reads.run(() => once(second, 'end')).catch((error: Error) => seen.push(error.message)),
  ];
  const ended = reads.ended(never).then(() => seen.push('ended'));
  const later = reads.run(() => new Promise(() => {}));
  first.emit('end');
  await reading[0];
  second.emit('error', new Error('second'));
  await Promise.all([...reading, ended]);
  expect(seen).toEqual(['first', 'second', 'ended']);
  expect(later).toBeInstanceOf(Promise);
});

test('waits no longer than two seconds for a directory that does not answer', async () => {
  const reads = new ReadsUnderWay();
  void reads.run(() => new Promise(() => {}));
  const slept: number[] = [];
  await reads.ended({ sleep: async (ms) => void slept.push(ms) });
  expect(slept).toEqual([2_000]);
});
