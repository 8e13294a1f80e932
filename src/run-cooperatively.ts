import { setImmediate } from 'node:timers/promises';

/** Lets others have the event loop between two pieces of the work. */
export async function runCooperatively<T>(work: Generator<void, T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await setImmediate();
    signal.throwIfAborted();
  }
}
