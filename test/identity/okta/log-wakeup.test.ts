import { expect, it } from 'vitest';
import { createLogWakeup } from '../../../src/identity/okta/log-wakeup.js';
import { createMovableClock } from '../../support/movable-clock.js';

const isSettled = async (promise: Promise<void>): Promise<boolean> =>
  Promise.race([
    promise.then(() => true),
    new Promise<false>((resolve) => setImmediate(() => resolve(false))),
  ]);

it('of one hook reads the log at once and once more, because the log may be a little behind', async () => {
  const clock = createMovableClock();
  const wakeup = createLogWakeup(clock);
  const { signal } = new AbortController();
  const first = wakeup.wait(signal);
  expect(await isSettled(first)).toBe(false);
  wakeup.wake();
  await first;
  const second = wakeup.wait(signal);
  expect(await isSettled(second)).toBe(false);
  clock.advance(3_000);
  await second;
  const third = wakeup.wait(signal);
  clock.advance(3_600_000);
  expect(await isSettled(third)).toBe(false);
});

it('of many hooks reads the log at most once a second', async () => {
  const clock = createMovableClock();
  const wakeup = createLogWakeup(clock);
  const { signal } = new AbortController();
  wakeup.wake();
  await wakeup.wait(signal);
  const next = wakeup.wait(signal);
  for (let times = 0; times < 100; times++) wakeup.wake();
  clock.advance(700);
  expect(await isSettled(next)).toBe(false);
  clock.advance(400);
  await next;
});

it('are kept while nothing waits for them', async () => {
  const wakeup = createLogWakeup(createMovableClock());
  wakeup.wake();
  const { signal } = new AbortController();
  expect(await isSettled(wakeup.wait(signal))).toBe(true);
  expect(await isSettled(wakeup.wait(signal))).toBe(false);
});

it('rejects with the reason of its signal', async () => {
  const wakeup = createLogWakeup(createMovableClock());
  const stop = new AbortController();
  const waiting = wakeup.wait(stop.signal);
  const reason = new Error('stopping');
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
