import { setTimeout as delay } from 'node:timers/promises';

const MIN_MS = 3;
const MAX_MS = 30;

/**
 * Resolves with the first value that is neither undefined nor false. Fails after the timeout and names what it awaited.
 * Waits between two looks three times as long as a look takes, so that looking takes no more than a quarter of the time.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 45_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const begun = performance.now();
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await delay(Math.min(Math.max(MIN_MS, 3 * (performance.now() - begun)), MAX_MS));
  }
}
