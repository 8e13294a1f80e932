/** A key waits no longer than this: a directory may not answer at all. */
const LONGEST_MS = 500;
/** Between two questions of a key: longer the longer it waits, but so soon that it stays the same run for its waiters. */
const SOONEST_MS = 20;
const LATEST_MS = 100;

interface Waiting {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** The number of the last read that had begun then. */
  readonly upTo: number;
}

/** Reads that have begun and not ended, and who waits for them. */
export class ReadsUnderWay {
  readonly #reads = new Set<number>();
  readonly #waiting = new Map<string, Waiting>();
  #count = 0;

  async run<T>(read: () => Promise<T>): Promise<T> {
    const number = ++this.#count;
    this.#reads.add(number);
    try {
      return await read();
    } finally {
      this.#reads.delete(number);
      if (this.#reads.size === 0) this.#waiting.clear();
    }
  }

  /**
   * In how many milliseconds a key should ask again whether the reads have ended that were under way when it asked first.
   * Undefined once they have, or after half a second.
   */
  waitMs(key: string, now: number): number | undefined {
    const [oldest] = this.#reads;
    if (oldest === undefined) return undefined;
    const waiting = this.#waiting.get(key) ?? { since: now, upTo: this.#count };
    this.#waiting.set(key, waiting);
    const waitedMs = Math.abs(now - waiting.since);
    if (oldest <= waiting.upTo && waitedMs < LONGEST_MS)
      return Math.min(Math.max(waitedMs, SOONEST_MS), LATEST_MS);
    this.#waiting.delete(key);
    return undefined;
  }
}
