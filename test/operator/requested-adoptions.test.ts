import { expect, it } from 'vitest';
import { destinationKey, formatKey } from '../../src/model/key.js';
import { RequestedAdoptions, TURN_MS } from '../../src/operator/requested-adoptions.js';
import { createMovableClock } from '../support/movable-clock.js';

const key = destinationKey('orders', 'default', 'default');
const asked = () => ({ key, subjects: new Set(['intention/a']), by: { id: 'os:alice' } });

it('an adoption that has no turn in time is withdrawn, and others of the key stay', async () => {
  const [adoptions, clock] = [new RequestedAdoptions(), createMovableClock()];
  const late = adoptions.ask(asked(), async () => {}, clock);
  clock.advance(TURN_MS - 1);
  const other = adoptions.ask(asked(), async () => {}, clock);
  const fails = expect(late).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  clock.advance(1);
  await fails;
  const [first, ...rest] = adoptions.take(formatKey(key));
  expect(rest).toEqual([]);
  first?.resolve(2);
  expect(await other).toBe(2);
});

it('an adoption that has its turn is awaited, however long its write to Consul takes', async () => {
  const [adoptions, clock] = [new RequestedAdoptions(), createMovableClock()];
  const adopted = adoptions.ask(asked(), async () => {}, clock);
  const [first] = adoptions.take(formatKey(key));
  clock.advance(10 * TURN_MS);
  await new Promise((resolve) => setImmediate(resolve));
  first?.resolve(1);
  expect(await adopted).toBe(1);
});

it('an adoption whose key cannot be woken, or that comes after too many, fails at once', async () => {
  const [adoptions, clock] = [new RequestedAdoptions(), createMovableClock()];
  const broken = () => Promise.reject(new Error('the queue is closed'));
  await expect(adoptions.ask(asked(), broken, clock)).rejects.toThrow('the queue is closed');
  expect(adoptions.take(formatKey(key))).toEqual([]);
  const waiting = Array.from({ length: 100 }, () => adoptions.ask(asked(), async () => {}, clock));
  await expect(adoptions.ask(asked(), async () => {}, clock)).rejects.toThrow('too many adoptions wait');
  for (const { resolve } of adoptions.take(formatKey(key))) resolve(0);
  await Promise.all(waiting);
});
