import { performance } from 'node:perf_hooks';
import { type Clock, steadyClock } from '../clock.js';
import { SyncError } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { Directory } from './directory.js';

/** Reads of single clients at once: half of the jobs of a provider, and half of the connections to an identity provider. */
const MAX_READS = 4;
/** One more for orders, so that an order is read while all other reads hang. */
const MAX_READS_WITH_ORDERS = MAX_READS + 1;
/** If no read was answered for this long, waiting reads fail. */
const SILENCE_MS = 1_000;
/** The least part of that time in which this process had nothing to do: one that is busy reads no answer. */
const IDLE_PART = 0.5;
/** The identity provider may be unable to answer for one client. If it does not answer for this many, it is unavailable. */
const MAX_UNANSWERED = 3;
/** Between attempts to reach an unavailable directory. */
const PAUSE_MS = 1_000;

/**
 * The same directory, with a limit on the number of single reads at once. So the jobs that wait for a silent identity
 * provider leave capacity to those that close access. A read over the limit waits while other reads are answered. While
 * none is answered, one read per second tests the directory, and all others fail at once with ERR_DIRECTORY_UNREACHABLE. A
 * read for an order runs whenever there is a free slot. `busyMs`: for how long this process was busy since its start.
 */
export function withConcurrencyLimit(
  directory: Directory,
  clock: Clock,
  busyMs: () => number = () => performance.eventLoopUtilization().active,
): Directory {
  const slots = new ReadSlots(directory.provider, clock, busyMs);
  return {
    ...directory,
    read: (by, value, signal, proof) =>
      slots.run(() => directory.read(by, value, signal, proof), `${by} ${value}`, proof === 'order', signal),
  };
}

/** An instant, and for how long this process had been busy by then. */
interface Instant {
  readonly at: number;
  readonly busyMs: number;
}

class ReadSlots {
  readonly #provider: string;
  readonly #clock: Clock;
  readonly #busyMs: () => number;
  /** In the order in which they get slots. */
  #waiting = new Set<() => void>();
  #running = 0;
  /** No running read was answered for `SILENCE_MS`. */
  #isSilent = false;
  /** The reads that were not answered since the last answer. */
  readonly #unanswered = new Set<string>();
  #failedAt = 0;
  #lastAnswer: Instant = { at: 0, busyMs: 0 };

  constructor(provider: string, clock: Clock, busyMs: () => number) {
    this.#provider = provider;
    this.#clock = steadyClock(clock);
    this.#busyMs = busyMs;
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
    this.#lastAnswer = this.#now();
    this.#isSilent = false;
    this.#unanswered.clear();
  }

  async #enter(forOrder: boolean, signal: AbortSignal): Promise<void> {
    const since = this.#now();
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

  #isSilentSince(waiting: Instant): boolean {
    const now = this.#now();
    const { at } = this.#lastAnswer;
    const since = at > waiting.at ? this.#lastAnswer : waiting;
    const lastedMs = now.at - since.at;
    const idleMs = lastedMs - (now.busyMs - since.busyMs);
    return this.#running > 0 && lastedMs >= SILENCE_MS && idleMs >= SILENCE_MS * IDLE_PART;
  }

  #now(): Instant {
    return { at: this.#clock.now(), busyMs: this.#busyMs() };
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
    return this.#clock.now() - this.#failedAt < PAUSE_MS;
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
    await withLinkedSignal([signal, freed.signal], (either) => this.#clock.sleep(SILENCE_MS, either)).catch(
      () => {},
    );
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
