import { setImmediate } from 'node:timers/promises';
import { vi } from 'vitest';

/** How often others have the event loop while the work runs, on a machine for which each piece of work is long. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let ms = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (ms += 5));
  let turns = 0;
  let isDone = false;
  const others = (async () => {
    while (!isDone) {
      await setImmediate();
      turns++;
    }
  })();
  try {
    await work();
  } finally {
    isDone = true;
    await others;
    clock.mockRestore();
  }
  return turns;
}
