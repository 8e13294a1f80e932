import { setImmediate } from 'node:timers/promises';

/** One piece of work may take a little longer than this. */
const PIECE_MS = 4;

/** Lets others have the event loop after some milliseconds of the work, where the work yields. */
export async function runCooperatively<T>(work: Generator<void, T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const until = performance.now() + PIECE_MS;
    do {
      const { done, value } = work.next();
      if (done) return value;
    } while (performance.now() < until);
    await setImmediate();
    signal.throwIfAborted();
  }
}
