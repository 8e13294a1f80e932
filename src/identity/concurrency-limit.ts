import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import type { Directory } from './directory.js';

/** Reads of single clients at once: half of the jobs that a provider may have, and as many as an IdP has connections. */
const MOST = 4;
/** Orders have a place more, so that they find one while all others hang. */
const MOST_WITH_ORDERS = MOST + 1;
/** How long a directory may answer nobody before whoever finds no place gives up. */
const SILENCE_MS = 1_000;
/** One client that the IdP cannot answer for is no sign that it is away; so many in a row are. */
const MOST_UNANSWERED = 3;
/** Between attempts to find out whether a directory is back. */
const PAUSE_MS = 1_000;

/**
 * The same directory, of which few clients are read at once, so that the jobs that ask a silent one leave places to
 * those that close access. Whoever finds no place waits for one as long as answers come. While none comes, one read a
 * second finds out whether the directory is back, and all others are ERR_DIRECTORY_UNREACHABLE at once and have not
 * been made; but what an order needs is asked wherever there is a place.
 */
export function withConcurrencyLimit(directory: Directory, clock: Clock): Directory {
  const places = new ReadSlots(directory.provider, clock);
  const readMembers = directory.readMembers?.bind(directory);
  const checkAccess = directory.checkAccess?.bind(directory);
  return {
    provider: directory.provider,
    readAll: (signal) => directory.readAll(signal),
    read: (by, value, signal, forOrder = false) =>
      places.run(() => directory.read(by, value, signal, forOrder), `${by} ${value}`, forOrder, signal),
    ...(readMembers && { readMembers }),
    ...(checkAccess && { checkAccess }),
    close: () => directory.close(),
  };
}

class ReadSlots {
  readonly #provider: string;
  readonly #clock: Clock;
  /** In the order in which they get places. */
  #waiting = new Set<() => void>();
  #running = 0;
  /** Nobody who had a place was answered for long enough. */
  #isSilent = false;
  /** What was asked in vain since the last answer. */
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
    while (!this.#hasPlace(forOrder)) {
      if (this.#isAway()) {
        // All who wait learn it now.
        for (const wake of [...this.#waiting]) wake();
        throw this.#refusal();
      }
      await this.#turn(forOrder, signal);
      if (this.#isQuietSince(since)) this.#isSilent = true;
    }
    this.#running++;
  }

  /** Whether nobody was answered for so long that no place can be hoped for. */
  #isQuietSince(waitingSince: number): boolean {
    const now = this.#clock.now();
    // What lies in the future is from before the clock was set back.
    const answeredAt = this.#answeredAt > now ? 0 : this.#answeredAt;
    return this.#running > 0 && now - Math.max(waitingSince, answeredAt) >= SILENCE_MS;
  }

  /** One place is free: waking all who wait would cost as much as there are, for each read. */
  #wakeNext(): void {
    const [next] = this.#waiting;
    next?.();
  }

  #hasPlace(forOrder: boolean): boolean {
    if (forOrder) return this.#running < MOST_WITH_ORDERS;
    return this.#isAway() ? this.#running === 0 && !this.#pauses() : this.#running < MOST;
  }

  #isAway(): boolean {
    return this.#isSilent || this.#unanswered.size >= MOST_UNANSWERED;
  }

  /** A failure that lies in the future is one from before the clock was set back. */
  #pauses(): boolean {
    const sinceMs = this.#clock.now() - this.#failedAt;
    return sinceMs >= 0 && sinceMs < PAUSE_MS;
  }

  /** Resolves when a place may be free, and now and then to see whether anybody is answered. */
  async #turn(forOrder: boolean, signal: AbortSignal): Promise<void> {
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
    const message = `provider ${this.#provider}: does not answer; it is asked for few clients until it does`;
    return new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true });
  }
}
