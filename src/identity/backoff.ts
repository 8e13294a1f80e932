import { type Clock, steadyClock } from '../clock.js';
import { RefusedCredentials, SyncError } from '../errors.js';
import { TokenBucket } from '../model/token-bucket.js';
import type { ReadProof } from '../model/trigger.js';
import { doublingMs } from '../repeat.js';
import { MAX_PAUSE_MS } from './http-client.js';
import type { EventFeed, ProviderParts } from './provider-parts.js';

/** The identity provider refuses requests of every kind. */
export interface Pause {
  readonly why: 'rate-limit' | 'credentials';
  /** Of the first refusal since the last answer, in milliseconds since the epoch. */
  readonly since: number;
  /** When the next request tests whether the provider answers again. In the past until its answer is there. */
  readonly until: number;
}

export interface BackoffParts extends ProviderParts {
  /** Undefined if the provider answers. */
  pause(): Pause | undefined;
}

/** The pause that the provider does not state: it doubles with each refusal in a row. */
const FIRST_MS = 1_000;
const LONGEST_UNSTATED_MS = 10_000;
/** Between the reads that are sent during a pause. */
const TURN_MS = 1_000;

/**
 * The same parts, with a pause after a 429, and after an answer that refuses our credentials: both are faults of the whole
 * provider, and not of the client that is read. What is asked meanwhile fails at once, with the same code and the remaining
 * time. A pause lasts for one poll interval at most, whatever the provider states, because the header may be wrong, or meant
 * for others behind the same address. During it one read a second is sent whose need is proven, and after a 429 every read
 * for an order.
 */
export function withBackoff(parts: ProviderParts, clock: Clock, pollMs: number): BackoffParts {
  const { directory, source } = parts;
  const { readMembers } = directory;
  const refusals = new Refusals(directory.provider, clock, pollMs);
  const run = <T>(request: () => Promise<T>, proof?: ReadProof) => refusals.run(request, proof);
  const feed = ({ poll, subscription }: EventFeed): Omit<EventFeed, 'source'> => ({
    ...(poll && { poll: { ...poll, poll: (cursor, signal) => run(() => poll.poll(cursor, signal)) } }),
    ...(subscription && {
      subscription: {
        ...subscription,
        renew: (...args) => run(() => subscription.renew(...args)),
      },
    }),
  });
  return {
    directory: {
      ...directory,
      readAll: (signal, isUrgent) => run(() => directory.readAll(signal, isUrgent)),
      read: (by, value, signal, proof) => run(() => directory.read(by, value, signal, proof), proof),
      ...(readMembers && { readMembers: (...args) => run(() => readMembers.apply(directory, args)) }),
    },
    ...(source === undefined ? {} : { source }),
    ...feed(parts),
    pause: () => refusals.pause,
  };
}

class Refusals {
  readonly #provider: string;
  readonly #clock: Clock;
  readonly #steady: Clock;
  readonly #longestMs: number;
  /** Since the last answer. */
  #count = 0;
  #error: SyncError | undefined;
  #since = 0;
  /** The end of the current pause, by the steady clock. */
  #until = Number.NEGATIVE_INFINITY;
  readonly #turns = new TokenBucket({ burst: 1, everyMs: TURN_MS });
  /** The reads that waited for their turn since the last one. */
  #waiting = 0;

  constructor(provider: string, clock: Clock, pollMs: number) {
    this.#provider = provider;
    this.#clock = clock;
    this.#steady = steadyClock(clock);
    this.#longestMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_MS, pollMs));
  }

  get pause(): Pause | undefined {
    if (this.#error === undefined) return undefined;
    const why = this.#error instanceof RefusedCredentials ? 'credentials' : 'rate-limit';
    return { why, since: this.#since, until: this.#clock.now() + this.#remainingMs() };
  }

  async run<T>(request: () => Promise<T>, proof: ReadProof | undefined): Promise<T> {
    const before = this.#remainingMs();
    if (before > 0 && !this.#maySend(proof)) throw this.#refusal(this.#waitMs(proof));
    try {
      const found = await request();
      if (this.#remainingMs() <= 0) this.#end();
      return found;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // A read that is sent during a pause says nothing new of it, and must not keep the others from testing the provider.
      if (before <= 0 || proof === undefined) this.#note(error);
      if (proof === undefined) throw error;
      throw this.#refusal(this.#waitMs(proof));
    }
  }

  #remainingMs(): number {
    return this.#until - this.#steady.now();
  }

  #maySend(proof: ReadProof | undefined): boolean {
    if (proof === undefined) return false;
    if (proof === 'order' && !(this.#error instanceof RefusedCredentials)) return true;
    if (!this.#turns.take(this.#steady.now())) return false;
    this.#waiting = 0;
    return true;
  }

  /** Thousands of reads may wait for their turn, so each later one is told a later time. */
  #waitMs(proof: ReadProof | undefined): number {
    const remainingMs = Math.max(this.#remainingMs(), 0);
    if (proof === undefined) return remainingMs;
    this.#waiting++;
    return Math.max(TURN_MS, Math.min(this.#waiting * TURN_MS, remainingMs));
  }

  #note(error: SyncError): void {
    const remainingMs = this.#remainingMs();
    if (this.#error === undefined) this.#since = this.#clock.now();
    if (remainingMs <= 0) this.#count++;
    this.#error = error;
    const unstatedMs = doublingMs(this.#count, FIRST_MS, LONGEST_UNSTATED_MS);
    const waitMs = Math.min(Math.max(unstatedMs, error.retryAfterMs ?? 0), this.#longestMs);
    this.#until = this.#steady.now() + Math.max(waitMs, remainingMs);
  }

  #end(): void {
    this.#error = undefined;
    this.#count = 0;
  }

  #refusal(retryAfterMs: number): SyncError {
    const seconds = Math.ceil(Math.max(this.#remainingMs(), 0) / 1000);
    if (this.#error instanceof RefusedCredentials) {
      const message = `${this.#error.message} (asked again in ${seconds} s)`;
      return new RefusedCredentials(this.#error.code, message, { retriable: false, retryAfterMs });
    }
    const message = `provider ${this.#provider}: the identity provider limits the rate of requests; the next one is sent in ${seconds} s`;
    return new SyncError('ERR_DIRECTORY_RATE_LIMITED', message, { retriable: true, retryAfterMs });
  }
}

function isRefusal(error: unknown): error is SyncError {
  return (
    error instanceof RefusedCredentials ||
    (error instanceof SyncError && error.code === 'ERR_DIRECTORY_RATE_LIMITED')
  );
}
