import type { Clock } from '../clock.js';
import { leaseLost, messageOf, SyncError } from '../errors.js';
import type { Leader } from '../model/leader.js';
import type { Logger } from '../observe.js';
import { Outage } from '../repeat.js';
import type { Lease } from './lease.js';

const RENEW_MS = 1_000;
/** A request that waited for a connection longer than this since the lease was confirmed is not sent. */
const CONFIRMED_MS = 1_000;
/** One renewal, with all its requests. */
const RENEWAL_MS = 5_000;

/** The time during which this replica leads. */
export interface Term {
  readonly leader: Leader;
  /** Who led last, as far as known. */
  readonly before: Leader | undefined;
  /** Aborts at a clean stop: finish what runs, then end. */
  readonly stop: AbortSignal;
  /** Aborts once another replica leads: end at once. */
  readonly lost: AbortSignal;
  /** Whether it is proven, just now, that this replica leads. */
  isHeld(): boolean;
  /** Resolves if it is proven, and proves it before if it is not. Throws ERR_LEASE_LOST, or why it cannot be known. */
  confirm(): Promise<void>;
  /** Lets the next replica lead. What still runs here may settle and publish until one does. Never rejects. */
  handOver(): Promise<void>;
}

/** Renews the lease. As long as that is impossible nothing may be written, but the term goes on: nobody else leads yet. */
export class LeaseTerm implements Term {
  readonly leader: Leader;
  readonly before: Leader | undefined;
  readonly stop: AbortSignal;
  readonly #lease: Lease;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #lost = new AbortController();
  readonly #outage = new Outage();
  #handedOver: Promise<void> | undefined;
  #provenAt: number;
  /** When the last renewal ended, however long it took. */
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #renewing: Promise<void> | undefined;

  /** `provenAt`: before the call that acquired the lease. */
  constructor(
    lease: Lease,
    { leader, before }: Pick<Term, 'leader' | 'before'>,
    stop: AbortSignal,
    provenAt: number,
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#lease = lease;
    this.leader = leader;
    this.before = before;
    this.stop = stop;
    this.#clock = clock;
    this.#logger = logger;
    this.#provenAt = provenAt;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Without another renewal. */
  get heldUntil(): number {
    return this.#provenAt + this.#lease.proofMs;
  }

  isHeld(): boolean {
    return !this.lost.aborted && this.#handedOver === undefined && this.#clock.now() < this.heldUntil;
  }

  confirm(): Promise<void> {
    return this.isHeld() ? Promise.resolve() : this.#renew();
  }

  /** Asked in the turn in which a request to Consul is written, which may be long after `confirm`. */
  mayWrite(): boolean {
    const isConfirmed = this.#clock.now() - this.#confirmedAt < CONFIRMED_MS && !this.lost.aborted;
    return this.isHeld() || (isConfirmed && this.#handedOver === undefined);
  }

  handOver(): Promise<void> {
    this.#handedOver ??= this.#lease.release(this.leader.epoch);
    return this.#handedOver;
  }

  /** Renews until the signal aborts, the lease is handed over, or the lease is lost. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.lost]);
    while (!either.aborted) {
      await this.#clock.sleep(RENEW_MS, either).catch(() => {});
      if (either.aborted || this.#handedOver !== undefined) return;
      try {
        await this.#renew();
        const lastedMs = this.#outage.ends(this.#clock.now());
        if (lastedMs !== undefined) this.#logger.info({ lastedMs }, 'the lease is renewed again');
      } catch (error) {
        if (this.lost.aborted) return;
        if (this.#outage.begins(this.#clock.now()))
          this.#logger.warn(
            { error: messageOf(error) },
            'the lease cannot be renewed; nothing is written to Consul until it is',
          );
      }
    }
  }

  /** Calls at the same time share one renewal. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<void> {
    this.lost.throwIfAborted();
    const at = this.#clock.now();
    const isHeld = await this.#lease
      .renew(this.leader.epoch, AbortSignal.timeout(RENEWAL_MS))
      .catch((error: unknown) => {
        // The deadline's reason is no SyncError, so a job or a worker would take it for a fault of its own.
        if (error instanceof SyncError) throw error;
        const message = `the lease cannot be renewed: ${messageOf(error)}`;
        throw new SyncError('ERR_TIMEOUT', message, { retriable: true, cause: error });
      });
    if (isHeld) {
      this.#provenAt = at;
      this.#confirmedAt = this.#clock.now();
      return;
    }
    const lost = leaseLost();
    this.#lost.abort(lost);
    throw lost;
  }
}
