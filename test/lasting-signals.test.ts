import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { KeyFetches } from '../src/acl/apply/key-fetches.js';
import { withConcurrencyLimit } from '../src/identity/concurrency-limit.js';
import { mapBounded } from '../src/limiter.js';
import { createMovableClock } from './support/movable-clock.js';

/*
 * What waits again and again for as long as the daemon lives must leave nothing in the signal that ends the daemon.
 */
const OFTEN = 20;

/** What the signal keeps: listeners, and the signals that `AbortSignal.any` derived from it. */
function kept(signal: AbortSignal): number {
  const name = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === 'kDependantSignals',
  );
  const derived = name === undefined ? 0 : (Reflect.get(signal, name)?.size ?? 0);
  return getEventListeners(signal, 'abort').length + derived;
}

it('finds what AbortSignal.any leaves in a signal', () => {
  const { signal } = new AbortController();
  const first = AbortSignal.any([signal, new AbortController().signal]);
  // Newer releases of Node keep a derived signal only while something listens to it.
  first.addEventListener('abort', () => {});
  expect(kept(signal)).toBe(1);
  expect(first.aborted).toBe(false);
});

it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
  ['a map of many items', (signal) => mapBounded([1, 2], { width: 2, signal }, async (item) => item)],
  [
    'a read that waits for a slot',
    async (signal) => {
      const open: (() => void)[] = [];
      const directory = withConcurrencyLimit(
        {
          provider: 'main',
          readAll: async () => ({ clients: [], unreadable: [], requests: 1 }),
          read: () => new Promise((resolve) => open.push(() => resolve(undefined))),
          close: async () => {},
        },
        createMovableClock(),
      );
      const reads = Array.from({ length: 5 }, (_, at) => directory.read('clientId', String(at), signal));
      await Promise.resolve();
      while (open.length > 0) {
        open.shift()?.();
        await new Promise(setImmediate);
      }
      await Promise.all(reads);
    },
  ],
  [
    'a write that waits for keys',
    async (signal) => {
      const [fetches, clock] = [new KeyFetches(), createMovableClock()];
      const ends: (() => void)[] = [];
      const work = () => new Promise<void>((resolve) => ends.push(resolve));
      const writes = Array.from({ length: 5 }, () => fetches.run(work, clock, signal));
      await Promise.resolve();
      while (ends.length > 0) {
        ends.shift()?.();
        await new Promise(setImmediate);
      }
      await Promise.all(writes);
    },
  ],
])('%s leaves nothing in a signal that lives on', async (_, use) => {
  const lasting = new AbortController();
  for (let time = 0; time < OFTEN; time++) await use(lasting.signal);
  expect(kept(lasting.signal)).toBe(0);
  lasting.abort();
});
