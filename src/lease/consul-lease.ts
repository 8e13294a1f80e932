import { type Clock, steadyClock } from '../clock.js';
import type { LeaderLock, LockState } from '../consul/consul.js';
import { type Leader, parseLeader } from '../model/leader.js';
import type { Fence } from '../queue/fence.js';
import type { Acquisition, Lease } from './lease.js';
import { matchStore, Pulses, parsePulses, UnchangedTimer } from './pulse.js';
import { ledElsewhere, unrelatedStore } from './refusals.js';
import { type DescribeReplica, type LeadCheck, storeProofMs } from './store-lease.js';

export interface ConsulLeaseOptions {
  readonly lock: LeaderLock;
  readonly fence: Fence;
  readonly self: DescribeReplica;
  readonly check: LeadCheck;
  /** Of the session, 10 at least. Consul ends it between one and two TTLs after its last renewal. */
  readonly ttlSeconds: number;
  readonly clock: Clock;
}

/** Unless the store's own signs of life are shorter, a proof lasts this part of the TTL. */
const SAFE_PART = 0.5;
const RENEW_PART = 0.25;
/** A leader counts as silent if it renews nothing for this part of the TTL, which is longer than a renewal with its requests. */
const SILENT_PART = 0.5;
/** A leader keeps the lock without its store for this long. */
const KEEP_MS = 60_000;
/** Behind a leader that lives, a standby asks its `check` so often. */
const CHECK_MS = 5_000;
/** A clean stop does not wait longer for Consul. */
const RELEASE_MS = 1_500;

/**
 * The lock in Consul says which store, and which of its replicas, leads the owner. The epoch of the store bars the
 * leader before. A replica takes the lock first and raises the epoch then, so that it does no harm if it loses the lock in
 * between.
 */
export class ConsulLease implements Lease {
  readonly proofMs: number;
  /** 0 if no other process can use the store. */
  readonly silentMs: number;
  readonly #options: ConsulLeaseOptions;
  /** How often the session is renewed. */
  readonly #renewMs: number;
  readonly #pulses = new Pulses();
  readonly #key = new UnchangedTimer();
  readonly #unrelated = new UnchangedTimer();
  /** The last check, if the last attempt found a leader that lives. */
  #checkedAt = Number.NEGATIVE_INFINITY;
  #session: string | undefined;
  #provenAt = 0;
  #beatAt = 0;
  #leader: Leader | undefined;

  constructor(options: ConsulLeaseOptions) {
    this.#options = { ...options, clock: steadyClock(options.clock) };
    const { fence, ttlSeconds } = options;
    this.#renewMs = ttlSeconds * 1000 * RENEW_PART;
    this.silentMs = Number.isFinite(fence.lifeMs) ? ttlSeconds * 1000 * SILENT_PART : 0;
    this.proofMs = Math.min(storeProofMs(fence), ttlSeconds * 1000 * SAFE_PART);
  }

  async acquire(signal: AbortSignal): Promise<Acquisition> {
    const { lock, fence, clock } = this.#options;
    const self = this.#options.self();
    const askedAt = clock.now();
    const checkedAt = this.#checkedAt;
    const isChecked = askedAt - checkedAt < CHECK_MS;
    this.#checkedAt = Number.NEGATIVE_INFINITY;
    const fault = isChecked ? undefined : await this.#options.check(signal);
    if (fault !== undefined) return { kind: 'refused', error: fault };
    const state = await lock.read(signal);
    const last = parseLeader(state.value);
    const isHeld = state.session !== undefined && state.session !== this.#session;
    const isOwnStore = last?.storeId === self.storeId;
    if (isHeld && last !== undefined && !isOwnStore) return { kind: 'refused', error: ledElsewhere(last) };
    // After Consul: a leader writes its pulse to the store first.
    const stored = await fence.read();
    const pulses = isOwnStore ? parsePulses(state.value) : [];
    const match = matchStore(pulses, stored?.pulses ?? []);
    const isSilent = this.#key.lastedMs(state.value, clock.now()) >= this.silentMs;
    const unrelatedMs = this.#unrelated.lastedMs(match, clock.now());
    if (match === 'unrelated' && last !== undefined && unrelatedMs >= this.silentMs)
      return { kind: 'refused', error: unrelatedStore(last, lock.key) };
    // A replica that may lead needs a check of this moment.
    if (isChecked && (!isHeld || isSilent)) return this.acquire(signal);
    if (isHeld && state.session !== undefined) {
      const follows = { kind: 'follows', leader: last } as const;
      // Nothing is known of a leader from a store that is not its own, or that it can no longer reach.
      if (match !== 'same' || !isSame(stored?.leader, last)) return follows;
      if (!isSilent) {
        if (stored?.isAlive !== true) return UNKNOWN;
        this.#checkedAt = isChecked ? checkedAt : askedAt;
        return follows;
      }
      // A claim in the store, which one of several standbys gets, and only if the leader gives no sign of life.
      const claim = await fence.raise(self, { above: 0, over: 'dead' });
      if (claim === undefined) return follows;
      await lock.endSession(state.session, signal).finally(() => fence.rest(claim).catch(() => {}));
    } else if (match === 'unrelated' || (match === 'behind' && !isSilent)) return UNKNOWN;
    const known = isOwnStore ? last.epoch : 0;
    // An attempt or a leader before may have failed between the store and Consul.
    const missed = stored?.pulses[0];
    this.#pulses.begin(pulses, missed !== undefined && pulses.includes(missed) ? undefined : missed);
    if (!(await this.#lockAs({ ...self, epoch: known }, signal))) return UNKNOWN;
    const provenAt = clock.now();
    let epoch = 0;
    try {
      // Above what Consul knows too: a store that lost its last writes must not count an epoch a second time.
      epoch = (await fence.raise(self, { above: known, over: 'any' })) ?? 0;
      const leader = { ...self, epoch };
      // First Consul's newest pulse, which a store that lost it must have too if this attempt fails.
      await fence.beat(epoch, this.#pulses.toWrite[0]);
      if (!(await fence.beat(epoch, this.#nextPulse())) || !(await this.#lockAs(leader, signal))) {
        await fence.rest(epoch);
        return UNKNOWN;
      }
      this.#leader = leader;
      this.#provenAt = provenAt;
      this.#beatAt = provenAt;
      return { kind: 'leads', leader, before: last ?? stored?.leader };
    } catch (error) {
      // Otherwise the others would wait for a leader that does not lead.
      await this.release(epoch);
      throw error;
    }
  }

  async renew(epoch: number, signal: AbortSignal): Promise<boolean> {
    const { lock, fence, clock } = this.#options;
    const now = clock.now();
    const leader = this.#leader;
    const isDue = now - this.#provenAt >= this.#renewMs;
    if (leader?.epoch !== epoch) return false;
    // First the store: as long as it has the epoch, nobody else has led on it.
    const isOwn = await fence.beat(epoch, isDue ? this.#nextPulse() : undefined).catch(async (error) => {
      await this.#keepSession(now, signal);
      throw error;
    });
    if (!isOwn) return false;
    this.#beatAt = now;
    if (!isDue) return true;
    const session = this.#session;
    const [isRenewed, state] = await Promise.all([
      session !== undefined && lock.renewSession(session, signal),
      lock.read(signal),
    ]);
    if (this.#leader !== leader) return false;
    if (!isRenewed || state.session !== session) {
      if (isLedByOther(state, session, leader)) return false;
      // The session ended, or somebody deleted the key, and nobody led meanwhile.
      if (!isRenewed) this.#session = undefined;
    }
    if (!(await this.#lockAs(leader, signal)) || !(await fence.beat(epoch))) return false;
    this.#provenAt = now;
    return true;
  }

  async release(epoch: number): Promise<void> {
    const { lock, fence } = this.#options;
    const session = this.#session;
    this.#session = undefined;
    this.#leader = undefined;
    // The store first: who finds the lock free must not find signs of life.
    await fence.rest(epoch).catch(() => {});
    if (session !== undefined)
      await lock.endSession(session, AbortSignal.timeout(RELEASE_MS)).catch(() => {});
  }

  /**
   * While the store is away. If it comes back without its last writes, this replica gives them back, and the lock keeps the
   * others from leading before. If the store is away for this replica alone, its silence lets another one lead.
   */
  async #keepSession(now: number, signal: AbortSignal): Promise<void> {
    if (this.#session === undefined || now - this.#beatAt > KEEP_MS) return;
    await this.#options.lock.renewSession(this.#session, signal).catch(() => {});
  }

  async #lockAs(leader: Leader, signal: AbortSignal): Promise<boolean> {
    const { lock, ttlSeconds } = this.#options;
    this.#session ??= await lock.createSession(`scopemesh ${leader.replica}`, ttlSeconds, signal);
    const session = this.#session;
    const value = JSON.stringify({ ...leader, pulses: this.#pulses.toWrite });
    if (await lock.acquire(session, value, signal)) {
      this.#pulses.written();
      return true;
    }
    // Another replica was faster, or the session has ended: the next attempt takes a new one.
    if (this.#session === session) this.#session = undefined;
    await lock.endSession(session, signal).catch(() => {});
    return false;
  }

  /** None for a store that no other process can use: what is restored there is no copy. */
  #nextPulse(): string | undefined {
    return this.silentMs === 0 ? undefined : this.#pulses.next();
  }
}

const UNKNOWN = { kind: 'follows', leader: undefined } as const;

function isSame(a: Leader | undefined, b: Leader | undefined): boolean {
  return a !== undefined && a.epoch === b?.epoch && a.replica === b.replica && a.since === b.since;
}

function isLedByOther({ session, value }: LockState, own: string | undefined, leader: Leader): boolean {
  if (session !== undefined && session !== own) return true;
  const last = parseLeader(value);
  return last !== undefined && (last.storeId !== leader.storeId || last.epoch > leader.epoch);
}
