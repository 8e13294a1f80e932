import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { LeaderLock, LockState } from '../../src/consul/consul.js';
import { ConsulLease } from '../../src/lease/consul-lease.js';
import { createMemoryFence } from '../conformance/memory-fence.js';

const never = new AbortController().signal;

/** The lock of a Consul where no session ends by itself. */
function memoryLock() {
  let sessions = 0;
  const lock = {
    key: 'scopemesh/pay/leader',
    value: undefined as string | undefined,
    session: undefined as string | undefined,
    renewed: 0,
    read: async (): Promise<LockState> => ({ value: lock.value, session: lock.session }),
    createSession: async () => `session ${++sessions}`,
    async renewSession() {
      lock.renewed += 1;
      return true;
    },
    async endSession(session: string) {
      if (lock.session === session) lock.session = undefined;
    },
    async acquire(session: string, text: string) {
      if (lock.session !== undefined && lock.session !== session) return false;
      lock.session = session;
      lock.value = text;
      return true;
    },
  } satisfies LeaderLock & LockState & { renewed: number };
  return lock;
}

it('keeps the lock for a minute while its store is away, although it proves nothing by it', async () => {
  let now = 1_000_000;
  const lock = memoryLock();
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
  const written = lock.value;
  for (let second = 1; second <= 80; second++) {
    now += 1_000;
    await expect(lease.renew(epoch, never)).rejects.toThrow('the store is away');
  }
  expect(lock.renewed).toBe(60);
  // No pulse: others see that this replica is silent.
  expect(lock.value).toBe(written);
  isAway = false;
  expect(await lease.renew(epoch, never)).toBe(true);
  expect(lock.value).not.toBe(written);
});

it('behind a leader that lives checks its store every five seconds, and always before it leads', async () => {
  let now = 1_000_000;
  const [lock, fence] = [memoryLock(), createMemoryFence()];
  const checks: string[] = [];
  const open = (replica: string) =>
    new ConsulLease({
      lock,
      fence,
      self: () => ({ replica, host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's' }),
      check: async () => void checks.push(replica) as undefined,
      ttlSeconds: 10,
      clock: { ...systemClock, now: () => now },
    });
  const [leader, standby] = [open('leader'), open('standby')];
  const first = await leader.acquire(never);
  const epoch = first.kind === 'leads' ? first.leader.epoch : 0;
  const follow = async (ms: number) => {
    for (const until = now + ms; now < until; now += 500) {
      if (now % 1_000 === 0) expect(await leader.renew(epoch, never)).toBe(true);
      expect((await standby.acquire(never)).kind).toBe('follows');
    }
  };
  await follow(20_000);
  expect(checks).toEqual(['leader', ...Array.from({ length: 4 }, () => 'standby')]);
  await leader.release(epoch);
  expect((await standby.acquire(never)).kind).toBe('leads');
  expect(checks).toHaveLength(6);
});

it('a leader whose lock is free gives up if its key names a newer epoch of the same store', async () => {
  let now = 1_000_000;
  const lock = memoryLock();
  const lease = new ConsulLease({
    lock: { ...lock, read: lock.read, renewSession: async () => false },
    fence: createMemoryFence(),
    self: () => ({ replica: 'a', host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's' }),
    check: async () => undefined,
    ttlSeconds: 10,
    clock: { ...systemClock, now: () => now },
  });
  const acquired = await lease.acquire(never);
  const epoch = acquired.kind === 'leads' ? acquired.leader.epoch : 0;
  const written = Object(JSON.parse(lock.value ?? ''));
  // The session ended, another replica led and left, and the store lost its epoch in a failover.
  lock.session = undefined;
  lock.value = JSON.stringify({ ...written, replica: 'b', epoch: epoch + 1 });
  now += 5_000;
  expect(await lease.renew(epoch, never)).toBe(false);
  expect(lock.session).toBeUndefined();
});

it('a leader whose session ended, and whose key nobody else took, goes on with a new session', async () => {
  let now = 1_000_000;
  const lock = memoryLock();
  const lease = new ConsulLease({
    lock: { ...lock, read: lock.read, renewSession: async () => false },
    fence: createMemoryFence(),
    self: () => ({ replica: 'a', host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's' }),
    check: async () => undefined,
    ttlSeconds: 10,
    clock: { ...systemClock, now: () => now },
  });
  const acquired = await lease.acquire(never);
  const epoch = acquired.kind === 'leads' ? acquired.leader.epoch : 0;
  lock.session = undefined;
  now += 5_000;
  expect(await lease.renew(epoch, never)).toBe(true);
  expect(lock.session).toBe('session 2');
});
