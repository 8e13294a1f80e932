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

/** Milliseconds since the epoch as ISO 8601 in UTC. */
export function isoText(ms: number): string {
  return new Date(ms).toISOString();
}
