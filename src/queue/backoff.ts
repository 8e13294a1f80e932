import { doublingMs } from '../repeat.js';

export interface Backoff {
  /** The longest wait after the first failure. */
  readonly firstMs: number;
  /** No wait is longer. */
  readonly capMs: number;
  /** Failed runs in a row after which a key is parked. */
  readonly attempts: number;
  /** How long a parked key waits for its next try, at most. */
  readonly parkedMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { firstMs: 1000, capMs: 60_000, attempts: 8, parkedMs: 60_000 };

/**
 * How long to wait after the `attempts`th failure in a row (from 1). All of it is random: thousands of keys may have failed
 * together, while `backoffMs` is for a few loops. A parked key comes back about once a minute.
 */
export function backoffDelayMs(
  backoff: Backoff,
  attempts: number,
  random: () => number = Math.random,
): number {
  if (attempts >= backoff.attempts) return Math.floor((1 + random()) * (backoff.parkedMs / 2));
  return Math.floor(random() * doublingMs(Math.max(attempts, 1), backoff.firstMs, backoff.capMs));
}
