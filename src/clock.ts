/** Time as a dependency, so that the library never reads the wall clock itself. */
export interface Clock {
  /** Milliseconds since the epoch. Somebody may set the system's clock back. */
  now(): number;
  /** Resolves after `ms`, or rejects with the signal's reason at once when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

const sleep: Clock['sleep'] = (ms, signal) =>
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
  });

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep,
};

/** Goes on from the time at the start of the process, whatever somebody sets the clock of the system to. */
const steadySystemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  sleep,
};

/** The clock by which a duration is measured. What is recorded, or compared with a record, is by `clock` itself. */
export function steadyClock(clock: Clock): Clock {
  return clock === systemClock ? steadySystemClock : clock;
}

/** The instant as ISO 8601 in UTC with milliseconds. */
export function isoInstant(clock: Pick<Clock, 'now'>): string {
  return isoText(clock.now());
}

/** Milliseconds since the epoch as ISO 8601 in UTC. */
export function isoText(ms: number): string {
  return new Date(ms).toISOString();
}
