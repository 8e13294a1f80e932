import { expect, it } from 'vitest';
import { createLogWakeup } from '../../../src/identity/okta/log-wakeup.js';
import { createMovableClock } from '../../support/movable-clock.js';

const isSettled = async (promise: Promise<void>): Promise<boolean> =>
  Promise.race([
    promise.then(() => true),
    new Promise<false>((resolve) => setImmediate(() => resolve(false))),
  ]);

it('of one hook has the log read at once and once more, since the log may be a little behind', async () => {
  const clock = createMovableClock();
  const news = createLogWakeup(clock);
  const { signal } = new AbortController();
  const first = news.wait(signal);
  expect(await isSettled(first)).toBe(false);
  news.tell();
  await first;
  const second = news.wait(signal);
  expect(await isSettled(second)).toBe(false);
  clock.advance(3_000);
  await second;
  const third = news.wait(signal);
  clock.advance(3_600_000);
  expect(await isSettled(third)).toBe(false);
});

it('of many hooks has the log read every second at most', async () => {
  const clock = createMovableClock();
  const news = createLogWakeup(clock);
  const { signal } = new AbortController();
  news.tell();
  await news.wait(signal);
  const next = news.wait(signal);
  for (let times = 0; times < 100; times++) news.tell();
  clock.advance(700);
  expect(await isSettled(next)).toBe(false);
  clock.advance(400);
  await next;
});

it('that come while nobody waits are kept', async () => {
  const news = createLogWakeup(createMovableClock());
  news.tell();
  const { signal } = new AbortController();
  expect(await isSettled(news.wait(signal))).toBe(true);
  expect(await isSettled(news.wait(signal))).toBe(false);
});

it('ends with the reason of its signal', async () => {
  const news = createLogWakeup(createMovableClock());
  const stop = new AbortController();
  const waiting = news.wait(stop.signal);
  const reason = new Error('stopping');
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
