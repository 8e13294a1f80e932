import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import { leadOnce } from '../../src/lease/lead-once.js';
import type { Acquisition, Lease } from '../../src/lease/lease.js';
import { silentLogger } from '../../src/observe.js';
import { never } from './lease-rig.js';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const leader = { replica: 'daemon', host: 'h', since: '2026-03-01T10:00:00.000Z', storeId: 's', epoch: 4 };
const LEADS: Acquisition = { kind: 'leads', leader, before: undefined };
const UNKNOWN: Acquisition = { kind: 'follows', leader: undefined };

/** A command that asks for this lease. `acquire`: what each attempt comes to, by its number from 1. */
function command(acquire: (attempt: number) => Acquisition, elapsedMs = 0) {
  const did: string[] = [];
  const lease: Lease = {
    proofMs: 2_000,
    silentMs: 5_000,
    async acquire() {
      did.push('acquire');
      vi.advanceTimersByTime(elapsedMs);
      return acquire(did.length);
    },
    async renew() {
      did.push('renew');
      return true;
    },
    release: async () => void did.push('release'),
  };
  return { did, leading: leadOnce(lease, { clock: systemClock, logger: silentLogger }, never) };
}

it('renews its lease each second as long as the command works, and lets go at the end', async () => {
  const { did, leading } = command(() => LEADS);
  const { term, end } = await leading;
  await vi.advanceTimersByTimeAsync(10_500);
  expect(term.isHeld()).toBe(true);
  await end();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(did).toEqual(['acquire', ...Array<string>(10).fill('renew'), 'release']);
});

it('counts the proof from before the attempt', async () => {
  const { term, end } = await command(() => LEADS, 2_000).leading;
  expect(term.isHeld()).toBe(false);
  await end();
});

it('does not run beside a leader that is known, nor where its store is refused', async () => {
  const held = command(() => ({ kind: 'follows', leader }));
  await expect(held.leading).rejects.toMatchObject({
    code: 'ERR_LEASE_HELD',
    retriable: false,
    message: expect.stringMatching(/^daemon on h, since 2026-03-01T10:00:00.000Z leads this owner/),
  });
  const error = new SyncError('ERR_CONFIG', 'another cluster', { retriable: false });
  await expect(command(() => ({ kind: 'refused', error })).leading).rejects.toBe(error);
  expect(held.did).toEqual(['acquire']);
});

it('waits until a leader that may be dead counts as silent, and no longer', async () => {
  const dead = command((attempt) => (attempt < 18 ? UNKNOWN : LEADS));
  await vi.advanceTimersByTimeAsync(5_100);
  await (await dead.leading).end();
  const held = command(() => UNKNOWN);
  const failed = expect(held.leading).rejects.toThrow('another process leads this owner');
  await vi.advanceTimersByTimeAsync(6_599);
  expect(held.did).toHaveLength(22);
  await vi.advanceTimersByTimeAsync(1);
  await failed;
  expect(held.did).toHaveLength(23);
});
