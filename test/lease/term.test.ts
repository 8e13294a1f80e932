import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { Lease } from '../../src/lease/lease.js';
import { LeaseTerm } from '../../src/lease/term.js';
import { silentLogger } from '../../src/observe.js';

const leader = { replica: 'a', host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's', epoch: 1 };

it('a renewal that takes too long is a timeout that is tried again, and does not end the term', async () => {
  const lease: Lease = {
    proofMs: 0,
    silentMs: 0,
    acquire: async () => ({ kind: 'leads', leader, before: undefined }),
    renew: () => Promise.reject(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    release: async () => {},
  };
  const runtime = { clock: systemClock, logger: silentLogger };
  const term = new LeaseTerm(
    lease,
    { leader, before: undefined },
    new AbortController().signal,
    Date.now(),
    runtime,
  );
  await expect(term.confirm()).rejects.toMatchObject({
    name: 'SyncError',
    code: 'ERR_TIMEOUT',
    retriable: true,
  });
  expect(term.lost.aborted).toBe(false);
});

it('is not held for longer because it took a while to get the lease', () => {
  let now = 10_000;
  const lease: Lease = {
    proofMs: 2_000,
    silentMs: 0,
    acquire: async () => ({ kind: 'leads', leader, before: undefined }),
    renew: async () => true,
    release: async () => {},
  };
  const runtime = { clock: { ...systemClock, now: () => now }, logger: silentLogger };
  const askedAt = now;
  now += 1_500;
  const term = new LeaseTerm(
    lease,
    { leader, before: undefined },
    new AbortController().signal,
    askedAt,
    runtime,
  );
  expect(term.isHeld()).toBe(true);
  now += 500;
  expect(term.isHeld()).toBe(false);
});

it('lets a request go that begins soon after a slow confirmation, and none that waited for long', async () => {
  let now = 10_000;
  const lease: Lease = {
    proofMs: 2_000,
    silentMs: 0,
    acquire: async () => ({ kind: 'leads', leader, before: undefined }),
    async renew() {
      now += 3_000;
      return true;
    },
    release: async () => {},
  };
  const runtime = { clock: { ...systemClock, now: () => now }, logger: silentLogger };
  const term = new LeaseTerm(
    lease,
    { leader, before: undefined },
    new AbortController().signal,
    now,
    runtime,
  );
  expect(term.mayWrite()).toBe(true);
  now += 2_000;
  expect(term.mayWrite()).toBe(false);
  await term.confirm();
  now += 999;
  expect(term.mayWrite()).toBe(true);
  now += 1;
  expect(term.mayWrite()).toBe(false);
  await term.confirm();
  await term.handOver();
  expect(term.mayWrite()).toBe(false);
});
