import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { LeaderLock } from '../../src/consul/consul.js';
import { ConsulLease } from '../../src/lease/consul-lease.js';
import { createMemoryFence } from '../conformance/memory-fence.js';

const never = new AbortController().signal;

it('keeps the lock for a minute while its store is away, although it proves nothing by it', async () => {
  let now = 1_000_000;
  let renewed = 0;
  let value: string | undefined;
  const lock: LeaderLock = {
    key: 'scopemesh/pay/leader',
    read: async () => ({ value, session: value === undefined ? undefined : 'session' }),
    createSession: async () => 'session',
    renewSession: async () => {
      renewed++;
      return true;
    },
    endSession: async () => {},
    acquire: async (_, text) => {
      value = text;
      return true;
    },
  };
  let isAway = false;
  const memory = createMemoryFence();
  const fence = {
    ...memory,
    beat: async (epoch: number, pulse?: string) => {
      if (isAway) throw new Error('the store is away');
      return memory.beat(epoch, pulse);
    },
  };
  const lease = new ConsulLease({
    lock,
    fence,
    self: () => ({ replica: 'a', host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's' }),
    check: async () => undefined,
    ttlSeconds: 10,
    clock: { ...systemClock, now: () => now },
  });
  const acquired = await lease.acquire(never);
  const epoch = acquired.kind === 'leads' ? acquired.leader.epoch : 0;
  isAway = true;
  const written = value;
  for (let second = 1; second <= 80; second++) {
    now += 1_000;
    await expect(lease.renew(epoch, never)).rejects.toThrow('the store is away');
  }
  expect(renewed).toBe(60);
  // No pulse: others see that this replica is silent.
  expect(value).toBe(written);
  isAway = false;
  expect(await lease.renew(epoch, never)).toBe(true);
  expect(value).not.toBe(written);
});
