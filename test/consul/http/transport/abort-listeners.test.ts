import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { AbortListeners } from '../../../../src/consul/http/transport.js';

test('many requests share one listener of a signal, and each that has not ended learns of its end', () => {
  const aborts = new AbortListeners();
  const stop = new AbortController();
  const reasons: unknown[] = [];
  const unlisten = aborts.add(stop.signal, () => reasons.push('ended before'));
  aborts.add(stop.signal, (reason) => reasons.push(reason));
  aborts.add(stop.signal, (reason) => reasons.push(reason));
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  unlisten();
  stop.abort('stopped');
  expect(reasons).toEqual(['stopped', 'stopped']);
});

test('a signal without requests has no listener, and a later request listens again', () => {
  const aborts = new AbortListeners();
  const stop = new AbortController();
  const [first, second] = [aborts.add(stop.signal, () => {}), aborts.add(stop.signal, () => {})];
  first();
  second();
  second();
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  let reason: unknown;
  aborts.add(stop.signal, (said) => {
    reason = said;
  });
  stop.abort('stopped');
  expect(reason).toBe('stopped');
});
