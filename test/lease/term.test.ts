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
    acquire: async () => ({ kind: 'leads', leader }),
    renew: () => Promise.reject(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    release: async () => {},
  };
  const runtime = { clock: systemClock, logger: silentLogger };
  const term = new LeaseTerm(lease, leader, new AbortController().signal, runtime);
  await expect(term.confirm()).rejects.toMatchObject({
    name: 'SyncError',
    code: 'ERR_TIMEOUT',
    retriable: true,
  });
  expect(term.lost.aborted).toBe(false);
});
