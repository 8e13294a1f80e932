import type { Clock } from '../src/clock.js';

/** What failed is tried again after this, however long the interval is. */
const RETRY_MS = 10_000;

/**
 * Runs `work` every `intervalMs` (±10 %, so that fleets spread out) until the signal aborts. `work` tells of its own
 * errors and says whether it succeeded; if it did not, the wait is 10 s at the most.
 */
export async function repeat(
  intervalMs: number,
  work: () => Promise<boolean>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const waitMs = (await work()) ? intervalMs : Math.min(intervalMs, RETRY_MS);
    try {
      await clock.sleep(waitMs * (0.9 + Math.random() * 0.2), signal);
    } catch {
      return;
    }
  }
}

/** An outage is logged when it begins and when it ends. */
export class Outage {
  #since: number | undefined;

  /** True if this failure is the first of its outage. */
  begins(now: number): boolean {
    const isFirst = this.#since === undefined;
    this.#since ??= now;
    return isFirst;
  }

  /** Milliseconds that the outage lasted, if there was one. */
  ends(now: number): number | undefined {
    const since = this.#since;
    this.#since = undefined;
    return since === undefined ? undefined : now - since;
  }
}
