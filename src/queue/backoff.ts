export interface Backoff {
  /** The longest wait after the first failure. */
  readonly firstMs: number;
  /** No wait is longer. */
  readonly capMs: number;
  /** Failed runs in a row after which a key is parked. */
  readonly attempts: number;
}

export const DEFAULT_BACKOFF: Backoff = { firstMs: 1000, capMs: 60_000, attempts: 8 };

/**
 * How long to wait after the `attempts`th failure in a row (from 1). Exponential with full jitter, so that keys that
 * failed together do not return together.
 */
export function backoffDelayMs(
  backoff: Backoff,
  attempts: number,
  random: () => number = Math.random,
): number {
  // 2 ** 1024 is Infinity, and 0 * Infinity is no number.
  const exponent = Math.min(Math.max(attempts, 1) - 1, 52);
  return Math.floor(random() * Math.min(backoff.capMs, backoff.firstMs * 2 ** exponent));
}
