import { steadyClock } from '../clock.js';
import { messageOf } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { Leader } from '../model/leader.js';
import { Outage } from '../repeat.js';
import type { Runtime } from '../runtime.js';
import type { Acquisition, Lease } from './lease.js';
import { LeaseTerm, type Term } from './term.js';

/** A standby looks so often whether it may lead. */
const LOOK_MS = 500;
/** An attempt to lead, with all its requests. */
const ATTEMPT_MS = 10_000;

/** What is known of the leader. */
export interface Leading {
  readonly isLeader: boolean;
  /** For how long nobody is known to lead; 0 while somebody does. */
  readonly leaderlessMs: number;
}

interface LeadershipDeps extends Runtime {
  /** Chosen for each attempt, because `observe` has another one. */
  readonly lease: () => Lease;
  /** Called after each attempt to lead that ended without a term. */
  readonly onWait?: () => void;
}

/** One replica's part in choosing the leader: it waits for the lease, leads as long as it has it, and waits again. */
export class Leadership {
  readonly #deps: LeadershipDeps;
  #term: LeaseTerm | undefined;
  #leader: Leader | undefined;
  #ledAt: number;
  #stepDown: (() => void) | undefined;

  constructor(deps: LeadershipDeps) {
    this.#deps = { ...deps, clock: steadyClock(deps.clock) };
    this.#ledAt = this.#deps.clock.now();
  }

  get leading(): Leading {
    const leaderlessMs = this.#deps.clock.now() - (this.#term?.heldUntil ?? this.#ledAt);
    return {
      isLeader: this.#term !== undefined,
      leaderlessMs: leaderlessMs < 4 * LOOK_MS ? 0 : leaderlessMs,
    };
  }

  /** Whether a request that changes Consul may be sent in this turn. */
  mayWrite(): boolean {
    return this.#term?.mayWrite() === true;
  }

  /** Ends the term cleanly and takes part in the choice again. Nothing happens if this replica does not lead. */
  stepDown(): void {
    this.#stepDown?.();
  }

  /**
   * Calls `lead` for each term, which ends soon after one of the term's signals has aborted. Resolves after the signal has
   * aborted. Rejects if `lead` rejects, or with the reason why this replica must not lead.
   */
  async run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const outage = new Outage();
    while (!signal.aborted) {
      const lease = this.#deps.lease();
      const askedAt = clock.now();
      const acquired = await this.#acquire(lease, outage, signal);
      if (acquired?.kind === 'refused') throw acquired.error;
      // A reload chose another mode meanwhile: this lease does not allow what the next term may do.
      if (acquired?.kind === 'leads' && lease !== this.#deps.lease())
        await lease.release(acquired.leader.epoch);
      else if (acquired?.kind === 'leads') await this.#lead(lease, acquired, askedAt, lead, signal);
      else {
        this.#deps.onWait?.();
        await clock.sleep(LOOK_MS * (0.8 + Math.random() * 0.4), signal).catch(() => {});
      }
    }
  }

  async #acquire(lease: Lease, outage: Outage, signal: AbortSignal): Promise<Acquisition | undefined> {
    const { clock, logger } = this.#deps;
    try {
      const acquired = await withLinkedSignal([signal], (attempt) => lease.acquire(attempt), ATTEMPT_MS);
      outage.ends(clock.now());
      if (acquired.kind !== 'follows') return acquired;
      const { leader } = acquired;
      if (leader !== undefined && leader.epoch !== this.#leader?.epoch)
        logger.info({ ...leader }, 'another replica leads; this one takes events and waits');
      this.#leader = leader ?? this.#leader;
      if (leader !== undefined) this.#ledAt = clock.now();
      return acquired;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (outage.begins(clock.now()))
        logger.warn(
          { error: messageOf(error) },
          'this replica cannot try to lead, and nothing changes as long as nobody leads; scopemesh tries again',
        );
      return undefined;
    }
  }

  async #lead(
    lease: Lease,
    acquired: Pick<Term, 'leader' | 'before'>,
    askedAt: number,
    lead: (term: Term) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger, metrics } = this.#deps;
    const { leader } = acquired;
    const down = new AbortController();
    await withLinkedSignal([signal, down.signal], async (stop) => {
      const term = new LeaseTerm(lease, acquired, stop, askedAt, this.#deps);
      this.#term = term;
      this.#leader = leader;
      this.#stepDown = () => down.abort(new Error('the leader steps down'));
      metrics.count('scopemesh_takeovers_total');
      logger.info({ ...leader }, 'this replica leads');
      const over = new AbortController();
      const kept = term.keep(over.signal);
      try {
        await lead(term);
      } finally {
        over.abort();
        await kept;
        this.#term = undefined;
        this.#stepDown = undefined;
        this.#ledAt = clock.now();
        await term.handOver();
      }
      if (term.lost.aborted) logger.warn({ epoch: leader.epoch }, 'this replica no longer leads');
    });
  }
}
