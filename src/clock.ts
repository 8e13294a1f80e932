/** Time as a dependency, so that the library never reads the wall clock itself. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or rejects with the signal's reason at once when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const abort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', abort, { once: true });
    }),
};

/** The instant as ISO 8601 in UTC with milliseconds. */
export function isoInstant(clock: Pick<Clock, 'now'>): string {
  return isoText(clock.now());
}

/** The text of the last instant: while thousands of decisions are made, most instants are asked for several times. */
let last = { ms: 0, text: new Date(0).toISOString() };

/** Milliseconds since the epoch as ISO 8601 in UTC. */
export function isoText(ms: number): string {
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}

/**
 * Aborts with `signal`, or after `ms`. Node 20 garbage-collects a timeout inside `AbortSignal.any`, which then never fires;
 * the listener keeps it alive.
 */
export function abortAfter(signal: AbortSignal, ms: number): AbortSignal {
  const timeout = AbortSignal.timeout(ms);
  timeout.addEventListener('abort', () => {}, { once: true });
  return AbortSignal.any([signal, timeout]);
}
