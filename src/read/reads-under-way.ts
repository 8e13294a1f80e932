/** A key waits no longer than this: a directory may not answer at all. */
const MAX_MS = 500;
/** Between two questions of a key: longer the longer it waits, but so soon that it stays the same run for its waiters. */
const SOONEST_MS = 20;
const LATEST_MS = 100;
const FORGOTTEN_MS = 2 * MAX_MS;

interface Waiting {
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
    }
  }

  /**
   * In how many milliseconds a key should ask again whether the reads have ended that were under way when it asked first.
   * Undefined once they have, or after half a second.
   */
  waitMs(key: string, now: number): number | undefined {
    const known = this.#waiting.get(key);
    // A key that has not asked for so long stopped waiting in between, and asks about something else now.
    const isOver = known !== undefined && now - known.since > FORGOTTEN_MS;
    const waiting = known === undefined || isOver ? { since: now, upTo: this.#count } : known;
    const waitedMs = now - waiting.since;
    const [oldest] = this.#reads;
    if (oldest === undefined || oldest > waiting.upTo || waitedMs >= MAX_MS) {
      this.#waiting.delete(key);
      return undefined;
    }
    this.#waiting.set(key, waiting);
    return Math.min(Math.max(waitedMs, SOONEST_MS), LATEST_MS);
  }
}
