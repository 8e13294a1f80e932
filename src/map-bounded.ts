import { setMaxListeners } from 'node:events';
import { withLinkedSignal } from './linked-signal.js';

/**
 * Maps the items, at most `width` at a time; the results are in the order of the items. The first failure aborts the
 * signal of the other calls and starts no further ones. Resolves or rejects only after all started calls have ended.
 *
 * This is for one list. What several callers share has limits of its own, because each learns from something else:
 * `queue/write-limit.ts` from Consul's rate of answers, `identity/concurrency-limit.ts` from a directory's silence,
 * `identity/request-budget.ts` from the rate limit that an identity provider states, and `acl/apply/key-fetches.ts` from
 * how long Consul waits for an identity provider's keys.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  { width, signal }: { readonly width: number; readonly signal?: AbortSignal },
  map: (item: T, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const ends = signal === undefined ? [failed.signal] : [signal, failed.signal];
  return withLinkedSignal(ends, (stop) => mapUntil(stop, failed, items, width, map));
}

async function mapUntil<T, R>(
  stop: AbortSignal,
  failed: AbortController,
  items: readonly T[],
  width: number,
  map: (item: T, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  // Each running call listens, and may wait for its turn besides, so more than ten listeners are not a leak.
  setMaxListeners(Math.max(10, 2 * width), stop);
  const results: R[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      stop.throwIfAborted();
      results[index] = await map(item, stop);
    }
  };
  const workers = Array.from({ length: Math.min(width, items.length) }, () =>
    work().catch((error: unknown) => failed.abort(error)),
  );
  await Promise.all(workers);
  if (failed.signal.aborted) throw stop.reason;
  return results;
}
