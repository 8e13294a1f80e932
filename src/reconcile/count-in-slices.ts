import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../clock.js';

/** What is touched again and again must not keep a job waiting forever. */
const MAX_SLICES = 1_000;

/**
 * Counts in advance, slice by slice with other work in between: thousands may have been touched since the last count, and an
 * event must not wait until all are planned. `count` gets the time and returns whether nothing is left; after 1,000
 * slices the caller counts the rest at once.
 */
export async function countInSlices(
  count: (now: number) => boolean,
  { clock }: { readonly clock: Clock },
): Promise<void> {
  for (let slices = 0; slices < MAX_SLICES && !count(clock.now()); slices++) await setImmediate();
}
