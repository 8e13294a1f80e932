import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import type { Lease } from '../../src/lease/lease.js';
import { LeaseTerm } from '../../src/lease/term.js';
import { silentLogger } from '../../src/observe.js';
import { notes } from './lease-rig.js';

const leader = { replica: 'a', host: 'a', since: '2026-03-01T10:00:00.000Z', storeId: 's', epoch: 1 };

/** A term on a clock that only the test moves. `elapsedMs`: how long it took to get the lease. */
function termOf({ proofMs = 2_000, renew, elapsedMs = 0 }: Partial<Lease> & { elapsedMs?: number } = {}) {
  const clock = { ...systemClock, at: 10_000, now: () => clock.at };
  const lease: Lease = {
    proofMs,
    silentMs: 0,
    acquire: async () => ({ kind: 'leads', leader, before: undefined }),
    renew: renew ?? (async () => true),
    release: async () => {},
  };
  const provenAt = clock.at;
  clock.at += elapsedMs;
  const runtime = { clock, logger: silentLogger };
  const stop = new AbortController().signal;
  return { clock, term: new LeaseTerm(lease, { leader, before: undefined }, stop, provenAt, runtime) };
}

it('a renewal that takes too long is a timeout that is tried again, and does not end the term', async () => {
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  const { term } = termOf({ proofMs: 0, renew: () => Promise.reject(timeout) });
  await expect(term.confirm()).rejects.toMatchObject({
    name: 'SyncError',
    code: 'ERR_TIMEOUT',
    retriable: true,
  });
  expect(term.lost.aborted).toBe(false);
});

it('is not held for longer because it took a while to get the lease', () => {
  const { clock, term } = termOf({ elapsedMs: 1_500 });
  expect(term.isHeld()).toBe(true);
  clock.at += 500;
  expect(term.isHeld()).toBe(false);
});

it('lets a request go that begins soon after a slow confirmation, and none that waited for long', async () => {
  const { clock, term } = termOf({
    async renew() {
      clock.at += 3_000;
      return true;
    },
  });
  expect(term.mayWrite()).toBe(true);
  clock.at += 2_000;
  expect(term.mayWrite()).toBe(false);
  await term.confirm();
  clock.at += 999;
  expect(term.mayWrite()).toBe(true);
  clock.at += 1;
  expect(term.mayWrite()).toBe(false);
});

it('writes nothing after it handed over, however fresh its proof is', async () => {
  const { term } = termOf();
  await term.handOver();
  expect(term.isHeld()).toBe(false);
  expect(term.mayWrite()).toBe(false);
  // The proof has ended, and the confirmation alone would let a request go.
  const slow = termOf({
    async renew() {
      slow.clock.at += 3_000;
      return true;
    },
  });
  slow.clock.at += 2_000;
  await slow.term.confirm();
  expect(slow.term.mayWrite()).toBe(true);
  await slow.term.handOver();
  expect(slow.term.mayWrite()).toBe(false);
});

it('is lost for good when a renewal finds another leader', async () => {
  const { clock, term } = termOf({ renew: async () => false });
  clock.at += 2_000;
  await expect(term.confirm()).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' });
  expect(term.lost.aborted).toBe(true);
  clock.at -= 2_000;
  expect(term.isHeld()).toBe(false);
  expect(term.mayWrite()).toBe(false);
});

it('lets no request go after a loss, however soon after a confirmation', async () => {
  const answers = [true, false];
  const { clock, term } = termOf({
    async renew() {
      clock.at += 3_000;
      return answers.shift() ?? false;
    },
  });
  clock.at += 2_000;
  await term.confirm();
  const losing = term.confirm();
  clock.at -= 3_000;
  await expect(losing).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' });
  expect(term.mayWrite()).toBe(false);
});

it('passes on why the lease cannot be renewed, and says so of what it does not know', async () => {
  const error = new SyncError('ERR_QUEUE_UNREACHABLE', 'Redis is away', { retriable: true });
  const known = termOf({ proofMs: 0, renew: () => Promise.reject(error) });
  await expect(known.term.confirm()).rejects.toBe(error);
  const unknown = termOf({ proofMs: 0, renew: () => Promise.reject(new Error('no answer')) });
  await expect(unknown.term.confirm()).rejects.toThrow('the lease cannot be renewed: no answer');
});

describe('a term that is kept', () => {
  afterEach(() => void vi.useRealTimers());

  /** `renewed`: when, in milliseconds from the begin of the term. */
  function keep() {
    vi.useFakeTimers({ now: 1_000_000 });
    const state = { renew: async (): Promise<boolean> => true, renewed: [] as number[] };
    const lease: Lease = {
      proofMs: 2_000,
      silentMs: 0,
      acquire: async () => ({ kind: 'leads', leader, before: undefined }),
      renew: () => {
        state.renewed.push(Date.now() - 1_000_000);
        return state.renew();
      },
      release: async () => {},
    };
    const { logger, logged } = notes();
    const runtime = { clock: systemClock, logger };
    const [stop, over] = [new AbortController().signal, new AbortController()];
    const term = new LeaseTerm(lease, { leader, before: undefined }, stop, Date.now(), runtime);
    return { state, term, logged, over, kept: term.keep(over.signal) };
  }

  it('is renewed each second until its end, and not after', async () => {
    const { state, over, kept, logged } = keep();
    await vi.advanceTimersByTimeAsync(3_500);
    over.abort();
    await kept;
    await vi.advanceTimersByTimeAsync(3_000);
    expect(state.renewed).toEqual([1_000, 2_000, 3_000]);
    expect(logged).toEqual([]);
  });

  it('gives no sign of life after it handed over: the next replica would wait for it', async () => {
    const { state, term, kept } = keep();
    await vi.advanceTimersByTimeAsync(1_500);
    await term.handOver();
    await vi.advanceTimersByTimeAsync(3_000);
    await kept;
    expect(state.renewed).toEqual([1_000]);
  });

  it('says once that it cannot be renewed, tries on, and says for how long that was', async () => {
    const { state, term, over, kept, logged } = keep();
    state.renew = () => Promise.reject(new Error('no answer'));
    await vi.advanceTimersByTimeAsync(3_500);
    expect(term.mayWrite()).toBe(false);
    state.renew = async () => true;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(state.renewed).toHaveLength(5);
    expect(term.mayWrite()).toBe(true);
    expect(logged).toEqual([
      {
        error: 'the lease cannot be renewed: no answer',
        message: 'the lease cannot be renewed; nothing is written to Consul until it is',
      },
      { lastedMs: 3_000, message: 'the lease is renewed again' },
    ]);
    over.abort();
    await kept;
  });

  it('ends without a warning when another replica leads', async () => {
    const { state, term, kept, logged } = keep();
    state.renew = async () => false;
    await vi.advanceTimersByTimeAsync(1_000);
    await kept;
    expect(term.lost.reason).toMatchObject({ code: 'ERR_LEASE_LOST' });
    expect(logged).toEqual([]);
  });
});
