import type { Clock } from './clock.js';
import { messageOf } from './errors.js';
import { firstOf } from './linked-signal.js';
import type { Logger } from './observe.js';

/** Done, done with more to do at once, or failed. The other side may have said how long to wait. */
export type Attempt = 'done' | 'more' | { readonly failed: true; readonly retryAfterMs?: number };

/** The longest wait after a failure, by default. */
const MAX_RETRY_MS = 10_000;
/** However often a hint comes, it rests so long in between: a server may limit requests. */
const LEAST_WAIT_MS = 1_000;
/** After a hint it runs once more after this time. */
const ONCE_MORE_MS = 3_000;

/** What ends a wait early, except after an error. */
export interface Wake {
  readonly wait: (signal: AbortSignal) => Promise<void>;
  /** It may be known a little earlier than what `work` reads, and often: `work` runs twice, and at most once a second. */
  readonly isHint?: boolean;
}

/**
 * Runs `work` every `intervalMs` (±10 %, so that fleets spread out) until the signal aborts. `work` logs its own errors.
 * After an error it runs again within a second, then less and less often, but at least every `intervalMs`.
 */
export async function repeat(
  intervalMs: number,
  work: () => Promise<Attempt>,
  clock: Clock,
  signal: AbortSignal,
  longestRetryMs = MAX_RETRY_MS,
  wake?: Wake,
): Promise<void> {
  let failures = 0;
  let isAgain = false;
  while (!signal.aborted) {
    const attempt = await work();
    failures = typeof attempt === 'string' ? 0 : failures + 1;
    if (attempt === 'more') continue;
    const waitMs =
      attempt === 'done'
        ? Math.min(
            intervalMs * (0.9 + Math.random() * 0.2),
            isAgain ? ONCE_MORE_MS : Number.POSITIVE_INFINITY,
          )
        : retryMs(failures, Math.min(intervalMs, longestRetryMs), attempt.retryAfterMs ?? 0);
    isAgain = false;
    const hinted = async ({ wait }: Wake, either: AbortSignal) => {
      await clock.sleep(LEAST_WAIT_MS, either);
      await wait(either);
      isAgain = !either.aborted;
    };
    try {
      if (wake === undefined || attempt !== 'done') await clock.sleep(waitMs, signal);
      else
        await firstOf(signal, (either) => [
          clock.sleep(waitMs, either),
          wake.isHint === true ? hinted(wake, either) : wake.wait(either),
        ]);
    } catch {
      return;
    }
  }
}

/** `firstMs`, doubled with each failure in a row after the first one. */
export function doublingMs(failures: number, firstMs: number, longestMs: number): number {
  // 2 ** 1024 is Infinity, and 0 * Infinity is no number.
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
}

/** The same for loops: up to half is random, so that loops that failed together do not return together. */
export function backoffMs(
  failures: number,
  firstMs: number,
  longestMs: number,
  random = Math.random,
): number {
  return doublingMs(failures, firstMs, longestMs) * (0.5 + random() / 2);
}

/** From a second on, or as long as the other side asked. */
export function retryMs(failures: number, longestMs: number, askedMs: number, random = Math.random): number {
  return Math.max(askedMs, backoffMs(failures, 1_000, longestMs, random));
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

interface Repetition {
  readonly message: string;
  /** Of the log line. */
  readonly fields?: object;
  readonly pauseMs: number;
}

/**
 * Runs `step` until the signal aborts. It says how many milliseconds to wait; after an error `pauseMs`. The first error of an
 * outage is logged with `message`. Never rejects.
 */
export async function repeatSteps(
  { message, pauseMs, fields = {} }: Repetition,
  step: () => Promise<number>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  while (!signal.aborted) {
    let waitMs = pauseMs;
    try {
      waitMs = await step();
      outage.ends(clock.now());
    } catch (error) {
      if (signal.aborted) return;
      if (outage.begins(clock.now())) logger.warn({ ...fields, error: messageOf(error) }, message);
    }
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}
