/** Lets a number of things pass at once, and then one at each interval. Counts those that do not pass. */
export class CountingLimit {
  readonly #burst: number;
  readonly #everyMs: number;
  #left: number;
  #filledAt: number | undefined;
  #suppressed = 0;

  constructor(limit: { readonly burst: number; readonly everyMs: number }) {
    this.#burst = limit.burst;
    this.#everyMs = limit.everyMs;
    this.#left = limit.burst;
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
