import { getEventListeners } from 'node:events';
import { expect, it, vi } from 'vitest';
import { Leadership } from '../../src/lease/leadership.js';
import { noMetrics, silentLogger } from '../../src/observe.js';

it('a standby leaves nothing in the signal of the process, however often it looks', async () => {
  const any = vi.spyOn(AbortSignal, 'any');
  const end = new AbortController();
  const seen: number[] = [];
  const leadership = new Leadership({
    lease: () => ({
      proofMs: 0,
      silentMs: 0,
      async acquire() {
        seen.push(getEventListeners(end.signal, 'abort').length);
        return { kind: 'follows', leader: undefined };
      },
      renew: async () => false,
      release: async () => {},
    }),
    onWait: () => seen.length === 20 && end.abort(),
    logger: silentLogger,
    metrics: noMetrics,
    clock: { now: Date.now, sleep: async () => {} },
  });
  await leadership.run(async () => {}, end.signal);
  expect(seen).toEqual(Array(20).fill(1));
  expect(getEventListeners(end.signal, 'abort')).toEqual([]);
  expect(any).not.toHaveBeenCalled();
  any.mockRestore();
});
