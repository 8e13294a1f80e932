import { setMaxListeners } from 'node:events';

/** Results in the order of the items. The first failure aborts the others, and no request outlives the call. */
export async function mapBounded<T, R>(
  items: readonly T[],
  width: number,
  signal: AbortSignal,
  map: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  // Each item in flight listens, and may wait for its turn besides; more than ten are no leak.
  setMaxListeners(Math.max(10, 2 * width), stop);
  const results: R[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) results[index] = await map(item, stop);
  };
  const workers = Array.from({ length: Math.min(width, items.length) }, () =>
    work().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  const settled = await Promise.allSettled(workers);
  const rejected = settled.some((result) => result.status === 'rejected');
  if (rejected) throw stop.reason;
  return results;
}
