import { expect, it } from 'vitest';
import { createJobRequests } from '../../../src/queue/bullmq/job-requests.js';
import { gate } from '../../conformance/store-harness.js';

const unexpected = (error: unknown) => {
  throw error;
};

it('makes together what one turn asks for, and next what came meanwhile', async () => {
  const made: (readonly string[])[] = [];
  const first = gate();
  const began = gate();
  const requests = createJobRequests(async (keys) => {
    made.push(keys);
    began.open();
    if (made.length === 1) await first.opened;
  }, unexpected);
  for (const key of ['a', 'b', 'a']) requests.add(key);
  await began.opened;
  for (const key of ['a', 'c']) requests.add(key);
  expect(requests.keys()).toEqual(['a', 'c', 'a', 'b']);
  first.open();
  await requests.idle();
  expect(made).toEqual([
    ['a', 'b'],
    ['a', 'c'],
  ]);
  expect(requests.keys()).toEqual([]);
});

it('makes no more than a hundred at once', async () => {
  const sizes: number[] = [];
  const requests = createJobRequests(async (keys) => {
    sizes.push(keys.length);
  }, unexpected);
  for (let index = 0; index < 250; index++) requests.add(`k${index}`);
  await requests.idle();
  expect(sizes).toEqual([100, 100, 50]);
});

it('leaves what waits when one fails, and goes on with what comes later', async () => {
  const made: string[] = [];
  const errors: unknown[] = [];
  const requests = createJobRequests(
    async (keys) => {
      if (keys.includes('bad')) throw new Error('no');
      made.push(...keys);
    },
    (error) => errors.push(error),
  );
  for (const key of ['bad', 'other']) requests.add(key);
  await requests.idle();
  requests.add('good');
  await requests.idle();
  expect(errors).toEqual([new Error('no')]);
  expect(made).toEqual(['good']);
});
