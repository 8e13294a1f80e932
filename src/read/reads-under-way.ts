import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../clock.js';

/** A directory that does not answer must not delay a removal for longer. */
const LONGEST_MS = 2_000;

/** Reads that have begun and not ended. */
export class ReadsUnderWay {
  readonly #reads = new Set<Promise<unknown>>();

  async run<T>(read: () => Promise<T>): Promise<T> {
    const reading = read();
    this.#reads.add(reading);
    try {
      return await reading;
    } finally {
      this.#reads.delete(reading);
    }
  }

  /** Resolves once the reads that are under way now have ended and are in the world, or after two seconds. */
  async ended({ sleep }: Pick<Clock, 'sleep'>): Promise<void> {
    if (this.#reads.size === 0) return;
    const enough = new AbortController();
    const longest = sleep(LONGEST_MS, enough.signal).catch(() => {});
    await Promise.race([Promise.allSettled(this.#reads), longest]);
    enough.abort();
    // Who reads puts the result into the world in the turn in which it comes.
    await setImmediate();
  }
}
