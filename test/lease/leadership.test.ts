import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import { Leadership } from '../../src/lease/leadership.js';
import type { Acquisition, Lease } from '../../src/lease/lease.js';
import type { Term } from '../../src/lease/term.js';
import { noMetrics } from '../../src/observe.js';
import { never, notes } from './lease-rig.js';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const leaderOf = (replica: string, epoch: number) => ({
  replica,
  host: 'a',
  since: '2026-03-01T10:00:00.000Z',
  storeId: 's',
  epoch,
});
const UNKNOWN: Acquisition = { kind: 'follows', leader: undefined };
const follows = (replica: string, epoch: number): Acquisition => ({
  kind: 'follows',
  leader: leaderOf(replica, epoch),
});
const leads = (epoch: number): Acquisition => ({
  kind: 'leads',
  leader: leaderOf('me', epoch),
  before: undefined,
});

/** A replica, and what its attempts to lead and its renewals come to until the test says otherwise. */
function scene(first: Acquisition | (() => Promise<Acquisition>)) {
  const state = {
    acquire: first,
    renew: async (_: number): Promise<boolean> => true,
    proofMs: 2_400,
    attempts: 0,
    waits: 0,
    released: [] as number[],
  };
  const { logger, logged } = notes();
  const counted: string[] = [];
  const lease: Lease = {
    get proofMs() {
      return state.proofMs;
    },
    silentMs: 0,
    async acquire(signal) {
      state.attempts++;
      return typeof state.acquire === 'function' ? until(signal, state.acquire()) : state.acquire;
    },
    renew: (epoch) => state.renew(epoch),
    release: async (epoch) => void state.released.push(epoch),
  };
  const metrics = { ...noMetrics, count: (name: string) => void counted.push(name) };
  const deps = { lease: () => lease, onWait: () => void state.waits++, logger, metrics, clock: systemClock };
  const leadership = new Leadership(deps);
  const end = new AbortController();
  const terms: Term[] = [];
  /** Leads until its term ends in either way. */
  const running = leadership.run(async (term) => {
    terms.push(term);
    await until(term.stop, until(term.lost, new Promise<never>(() => {}))).catch(() => {});
  }, end.signal);
  const stop = async () => {
    end.abort();
    await running;
  };
  return { state, leadership, terms, logged, counted, running, stop };
}

function until<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  ]);
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const AWAY = () => Promise.reject(new Error('Consul is away'));

it('says for how long nobody is known to lead, from two seconds on, and may write nothing meanwhile', async () => {
  const { state, leadership, stop } = scene(UNKNOWN);
  await pass(1_999);
  expect(leadership.leading).toEqual({ isLeader: false, leaderlessMs: 0 });
  await pass(1);
  expect(leadership.leading).toEqual({ isLeader: false, leaderlessMs: 2_000 });
  expect(leadership.mayWrite()).toBe(false);
  state.acquire = follows('other', 3);
  await pass(600);
  expect(leadership.leading).toEqual({ isLeader: false, leaderlessMs: 0 });
  state.acquire = UNKNOWN;
  await pass(4_000);
  expect(leadership.leading.leaderlessMs).toBeGreaterThanOrEqual(3_400);
  expect(leadership.leading.leaderlessMs).toBeLessThanOrEqual(4_600);
  vi.setSystemTime(0);
  expect(leadership.leading.leaderlessMs).toBeGreaterThanOrEqual(3_400);
  leadership.stepDown();
  await stop();
});

it('looks about twice a second whether it may lead, and says each time that it waits', async () => {
  const { state, stop } = scene(UNKNOWN);
  await pass(60_000);
  expect(state.attempts).toBeGreaterThan(100);
  expect(state.attempts).toBeLessThan(150);
  expect(state.waits).toBe(state.attempts);
  await stop();
});

it('leads, may write, and counts as leaderless from the end of its proof on, whoever asked meanwhile', async () => {
  const { state, leadership, terms, counted, logged, stop } = scene(leads(7));
  await pass(0);
  expect(leadership.leading).toEqual({ isLeader: true, leaderlessMs: 0 });
  expect(leadership.mayWrite()).toBe(true);
  expect(counted).toEqual(['scopemesh_takeovers_total']);
  expect(logged).toEqual([{ ...leaderOf('me', 7), message: 'this replica leads' }]);
  await pass(3_600_000);
  state.renew = AWAY;
  await pass(6_400);
  expect(leadership.leading).toEqual({ isLeader: true, leaderlessMs: 4_000 });
  expect(leadership.mayWrite()).toBe(false);
  expect(terms).toHaveLength(1);
  await stop();
});

it('steps down cleanly: its term ends, the lease is free, and it takes part in the choice again', async () => {
  const { state, leadership, terms, logged, stop } = scene(leads(7));
  await pass(0);
  state.acquire = follows('other', 8);
  leadership.stepDown();
  await pass(0);
  expect(terms[0]?.stop.aborted).toBe(true);
  expect(terms[0]?.lost.aborted).toBe(false);
  expect(state.released).toEqual([7]);
  expect(leadership.leading).toEqual({ isLeader: false, leaderlessMs: 0 });
  expect(leadership.mayWrite()).toBe(false);
  state.acquire = leads(9);
  await pass(600);
  expect(terms.map(({ leader }) => leader.epoch)).toEqual([7, 9]);
  await stop();
  expect(terms[1]?.stop.aborted).toBe(true);
  expect(state.released).toEqual([7, 9]);
  expect(logged.filter(({ message }) => message === 'this replica no longer leads')).toEqual([]);
});

it('says that it no longer leads once another replica does, and waits as a standby', async () => {
  const { state, leadership, terms, logged, stop } = scene(leads(7));
  await pass(0);
  state.renew = async () => false;
  state.acquire = follows('other', 8);
  await pass(1_000);
  expect(terms[0]?.lost.aborted).toBe(true);
  expect(terms[0]?.stop.aborted).toBe(false);
  expect(leadership.leading.isLeader).toBe(false);
  expect(leadership.mayWrite()).toBe(false);
  await pass(5_000);
  expect(logged.slice(1)).toEqual([
    { epoch: 7, message: 'this replica no longer leads' },
    { ...leaderOf('other', 8), message: 'another replica leads; this one takes events and waits' },
  ]);
  await stop();
});

it('names a new leader once, although nobody was known to lead in between', async () => {
  const { state, logged, stop } = scene(follows('other', 1));
  for (const next of [follows('other', 1), UNKNOWN, follows('other', 1), follows('third', 2)]) {
    await pass(2_000);
    state.acquire = next;
  }
  await pass(2_000);
  expect(logged).toMatchObject([{ replica: 'other' }, { replica: 'third' }]);
  await stop();
});

it('warns once of an outage, in which it tries on, and of none that a stop made', async () => {
  const { state, logged, stop } = scene(AWAY);
  const warning = {
    error: 'Consul is away',
    message:
      'this replica cannot try to lead, and nothing changes as long as nobody leads; scopemesh tries again',
  };
  await pass(3_000);
  expect(logged).toEqual([warning]);
  expect(state.attempts).toBeGreaterThan(4);
  state.acquire = UNKNOWN;
  await pass(600);
  state.acquire = () => new Promise<never>(() => {});
  await pass(10_600);
  expect(logged).toEqual([warning, { ...warning, error: 'it took too long: a timeout' }]);
  state.acquire = UNKNOWN;
  await pass(10_600);
  state.acquire = () => new Promise<never>(() => {});
  await pass(600);
  await stop();
  expect(logged).toHaveLength(2);
});

it('ends with the reason why this replica must not lead', async () => {
  const error = new SyncError('ERR_CONFIG', 'another cluster', { retriable: false });
  const { state, terms, running } = scene({ kind: 'refused', error });
  await expect(running).rejects.toBe(error);
  expect({ terms, waits: state.waits }).toEqual({ terms: [], waits: 0 });
});

it('gives the lease back if the work of its term fails, and renews it no more', async () => {
  const { state, leadership, running, stop } = scene(leads(7));
  await pass(0);
  void running.catch(() => {});
  await stop();
  const renewed: number[] = [];
  state.renew = async (epoch) => renewed.push(epoch) > 0;
  state.released.length = 0;
  const failed = new Error('the store is full');
  await expect(leadership.run(() => Promise.reject(failed), never)).rejects.toBe(failed);
  expect(state.released).toEqual([7]);
  await pass(5_000);
  expect(renewed).toEqual([]);
});

it('a standby leaves nothing in the signal of the process, however often it looks', async () => {
  const any = vi.spyOn(AbortSignal, 'any');
  const end = new AbortController();
  const seen: number[] = [];
  const { leadership, stop } = scene(async () => {
    seen.push(getEventListeners(end.signal, 'abort').length);
    return UNKNOWN;
  });
  await stop();
  seen.length = 0;
  const running = leadership.run(async () => {}, end.signal);
  while (seen.length < 20) await pass(600);
  end.abort();
  await running;
  expect(new Set(seen)).toEqual(new Set([1]));
  expect(getEventListeners(end.signal, 'abort')).toEqual([]);
  expect(any).not.toHaveBeenCalled();
  any.mockRestore();
});

it('does not lead with the lease of a mode that a reload left meanwhile', async () => {
  const end = new AbortController();
  const released: number[] = [];
  const leaseOf = (epoch: number, onAcquire: () => void) => ({
    proofMs: 0,
    silentMs: 0,
    async acquire() {
      onAcquire();
      return leads(epoch);
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
    logger: notes().logger,
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
