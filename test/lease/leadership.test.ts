import { getEventListeners } from 'node:events';
import { expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
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

it('does not lead with the lease of a mode that a reload left meanwhile', async () => {
  const end = new AbortController();
  const released: number[] = [];
  const leader = { replica: 'a', host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's' };
  const leaseOf = (epoch: number, onAcquire: () => void) => ({
    proofMs: 0,
    silentMs: 0,
    async acquire() {
      onAcquire();
      return { kind: 'leads' as const, leader: { ...leader, epoch }, before: undefined };
    },
    renew: async () => true,
    release: async () => void released.push(epoch),
  });
  let current = leaseOf(1, () => {
    current = leaseOf(2, () => {});
  });
  const led: number[] = [];
  const leadership = new Leadership({
    lease: () => current,
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  await leadership.run(async (term) => {
    led.push(term.leader.epoch);
    end.abort();
  }, end.signal);
  expect(led).toEqual([2]);
  expect(released).toEqual([1, 2]);
});
