import type { Clock } from '../clock.js';
import { isOverload, type SyncError } from '../errors.js';

export interface WriteLimitOptions {
  readonly least: number;
  readonly first: number;
  readonly most: number;
}

/** The rate is measured over windows of about this length. */
const WINDOW_MS = 100;
/** A rate that rose by more than this allows another step; one that fell by more takes the last step back. */
const GAIN = 1.05;
const LOSS = 0.75;
const STEP = 1.4;

/**
 * How many requests may run at once. The limit grows while more requests at once complete more per second, goes back a
 * step if they do not, and halves when the server is overloaded (429, 503, a timeout). Latency alone is no signal: with
 * 64 at once and 4,000 per second each takes 16 ms.
 */
export class WriteLimit {
  readonly #options: WriteLimitOptions;
  readonly #clock: Pick<Clock, 'now'>;
  #limit: number;
  #completed = 0;
  #windowStart = 0;
  #lastRate = 0;
  readonly #counted = new WeakSet<SyncError>();

  constructor(options: WriteLimitOptions, clock: Pick<Clock, 'now'>) {
    this.#options = options;
    this.#clock = clock;
    this.#limit = options.first;
  }

  get now(): number {
    return Math.floor(this.#limit);
  }

  completed(): void {
    const now = this.#clock.now();
    this.#completed++;
    const elapsedMs = now - this.#windowStart;
    // Too few completions to measure a rate.
    if (elapsedMs < WINDOW_MS || this.#completed < this.now) {
      if (elapsedMs > 4 * WINDOW_MS) this.#begin(now);
      return;
    }
    const rate = this.#completed / elapsedMs;
    if (rate > this.#lastRate * GAIN) this.#set(this.#limit * STEP);
    else if (rate < this.#lastRate * LOSS) this.#set(this.#limit / STEP);
    this.#lastRate = rate;
    this.#begin(now);
  }

  /**
   * Does the work for every item, in their order, as many at once as the limit allows at each moment. After a failure it
   * begins nothing more, and throws when what runs has ended.
   */
  async forEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
    let running = 0;
    let wake = () => {};
    // Not a race of all that run: that would cost as much for each item as there are others.
    const oneEnds = () =>
      new Promise<void>((resolve) => {
        wake = resolve;
      });
    const failures: unknown[] = [];
    const run = async (item: T) => {
      running++;
      await work(item).catch((error: unknown) => failures.push(error));
      running--;
      this.completed();
      wake();
    };
    for (const item of items) {
      while (running >= this.now) await oneEnds();
      if (failures.length > 0) break;
      void run(item);
    }
    while (running > 0) await oneEnds();
    if (failures.length > 0) throw failures[0];
  }

  /** If the error says that the server is overloaded. The writer and the job of one request may both report it. */
  failed(error: unknown): void {
    if (!isOverload(error) || this.#counted.has(error)) return;
    this.#counted.add(error);
    this.overloaded();
  }

  /** The server is overloaded. */
  overloaded(): void {
    this.#set(this.#limit / 2);
    this.#lastRate = 0;
    this.#begin(this.#clock.now());
  }

  #begin(now: number): void {
    this.#completed = 0;
    this.#windowStart = now;
  }

  #set(limit: number): void {
    const { least, most } = this.#options;
    this.#limit = Math.min(most, Math.max(least, limit));
  }
}
