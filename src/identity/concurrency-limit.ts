import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import type { Directory } from './directory.js';

/** Reads of single clients at once: half of the jobs of a provider, and half of the connections to an IdP. */
const MAX_READS = 4;
/** One more for orders, so that an order is read while all other reads hang. */
const MAX_READS_WITH_ORDERS = MAX_READS + 1;
/** If no read was answered for this long, waiting reads fail. */
const SILENCE_MS = 1_000;
/** The IdP may be unable to answer for one client. If it does not answer for this many, it is unavailable. */
const MAX_UNANSWERED = 3;
/** Between attempts to reach an unavailable directory. */
const PAUSE_MS = 1_000;

/**
 * The same directory, with a limit on the number of single reads at once. So the jobs that wait for a silent IdP leave
 * capacity to those that close access. A read over the limit waits while other reads are answered. While none is answered,
 * one read per second tests the directory, and all others fail at once with ERR_DIRECTORY_UNREACHABLE. A read for an order
 * runs whenever there is a free slot.
 */
export function withConcurrencyLimit(directory: Directory, clock: Clock): Directory {
  const slots = new ReadSlots(directory.provider, clock);
  return {
    ...directory,
    read: (by, value, signal, forOrder = false) =>
      slots.run(() => directory.read(by, value, signal, forOrder), `${by} ${value}`, forOrder, signal),
  };
}

class ReadSlots {
  readonly #provider: string;
  readonly #clock: Clock;
  /** In the order in which they get slots. */
  #waiting = new Set<() => void>();
  #running = 0;
  /** No running read was answered for `SILENCE_MS`. */
  #isSilent = false;
  /** The reads that were not answered since the last answer. */
  readonly #unanswered = new Set<string>();
  #failedAt = 0;
  #answeredAt = 0;

  constructor(provider: string, clock: Clock) {
    this.#provider = provider;
    this.#clock = clock;
  }

  async run<T>(read: () => Promise<T>, what: string, forOrder: boolean, signal: AbortSignal): Promise<T> {
    await this.#enter(forOrder, signal);
    try {
      const found = await read();
      this.#answered();
      return found;
    } catch (error) {
      if (error instanceof SyncError && error.code === 'ERR_DIRECTORY_UNREACHABLE') {
        this.#unanswered.add(what);
        this.#failedAt = this.#clock.now();
      } else if (!signal.aborted) this.#answered();
      throw error;
    } finally {
      this.#running--;
      this.#wakeNext();
    }
  }

  /** A refusal is an answer too. */
  #answered(): void {
    this.#answeredAt = this.#clock.now();
    this.#isSilent = false;
    this.#unanswered.clear();
  }

  async #enter(forOrder: boolean, signal: AbortSignal): Promise<void> {
    const since = this.#clock.now();
    while (!this.#hasSlot(forOrder)) {
      if (this.#isAway()) {
        for (const wake of [...this.#waiting]) wake();
        throw this.#refusal();
      }
      await this.#waitForSlot(forOrder, signal);
      if (this.#isSilentSince(since)) this.#isSilent = true;
    }
    this.#running++;
  }

  #isSilentSince(waitingSince: number): boolean {
    const now = this.#clock.now();
    // A time in the future is from before the clock was set back.
    const answeredAt = this.#answeredAt > now ? 0 : this.#answeredAt;
    return this.#running > 0 && now - Math.max(waitingSince, answeredAt) >= SILENCE_MS;
  }

  /** Wakes only one, because only one slot is free. */
  #wakeNext(): void {
    const [next] = this.#waiting;
    next?.();
  }

  #hasSlot(forOrder: boolean): boolean {
    if (forOrder) return this.#running < MAX_READS_WITH_ORDERS;
    return this.#isAway() ? this.#running === 0 && !this.#isPausing() : this.#running < MAX_READS;
  }

  #isAway(): boolean {
    return this.#isSilent || this.#unanswered.size >= MAX_UNANSWERED;
  }

  #isPausing(): boolean {
    // Below zero if the clock was set back since.
    const sinceMs = this.#clock.now() - this.#failedAt;
    return sinceMs >= 0 && sinceMs < PAUSE_MS;
  }

  /** Resolves when a slot may be free, and after `SILENCE_MS`. */
  async #waitForSlot(forOrder: boolean, signal: AbortSignal): Promise<void> {
    const freed = new AbortController();
    const wake = () => {
      this.#waiting.delete(wake);
      freed.abort();
    };
    // Orders come first.
    if (forOrder) this.#waiting = new Set([wake, ...this.#waiting]);
    else this.#waiting.add(wake);
    await this.#clock.sleep(SILENCE_MS, AbortSignal.any([signal, freed.signal])).catch(() => {});
    this.#waiting.delete(wake);
    if (!signal.aborted) return;
    if (freed.signal.aborted) this.#wakeNext();
    signal.throwIfAborted();
  }

  #refusal(): SyncError {
    const message = `provider ${this.#provider}: the identity provider does not answer; scopemesh tests it once a second and reads again when it answers`;
    return new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true });
  }
}
