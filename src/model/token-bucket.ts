interface Clock {
  readonly now: () => number;
  /** Rejects when aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Rate {
  /** How many at once. */
  readonly burst: number;
  /** One more after each interval. */
  readonly everyMs: number;
}

/** Lets a number of things pass at once, and then one at each interval. Counts those that do not pass. */
export class TokenBucket {
  readonly #burst: number;
  readonly #everyMs: number;
  /** Below zero if some are to wait. */
  #left: number;
  #filledAt: number | undefined;
  #suppressed = 0;

  constructor({ burst, everyMs }: Rate) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#left = burst;
  }

  /** How many did not pass since the last call of `report`. */
  get suppressed(): number {
    return this.#suppressed;
  }

  mayPass(now: number): boolean {
    return this.left(now) >= 1;
  }

  /** How many more may pass at once. */
  left(now: number): number {
    this.#fill(now);
    return Math.floor(this.#left);
  }

  /** Whether one more may pass. */
  take(now: number): boolean {
    if (!this.mayPass(now)) {
      this.#suppressed++;
      return false;
    }
    this.#left--;
    return true;
  }

  /** Resolves when it is the turn of one more; rejects with the signal's reason. */
  async turn(clock: Clock, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#fill(clock.now());
    this.#left--;
    if (this.#left < 0) await clock.sleep(Math.ceil(-this.#left * this.#everyMs), signal);
  }

  /** Counts one that does not pass for another reason. */
  suppress(): void {
    this.#suppressed++;
  }

  /** How many did not pass, once. */
  report(): number {
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }

  /** Whether it is as a new one. */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#suppressed === 0 && this.#left >= this.#burst;
  }

  #fill(now: number): void {
    // The clock may have been set back since.
    const elapsedMs = Math.max(0, now - (this.#filledAt ?? now));
    this.#left = Math.min(this.#burst, this.#left + elapsedMs / this.#everyMs);
    this.#filledAt = now;
  }
}
