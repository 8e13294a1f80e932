import { LRUCache } from 'lru-cache';

/** More entries than any directory has. The limit keeps untrusted input from filling the memory. */
export const NAME_LIMIT = 200_000;

/** Remembers names by ID. If it is full, it forgets the names that were not used for the longest time. */
export function createNameCache<V extends NonNullable<unknown>>(
  onForget: () => void = () => {},
): LRUCache<string, V> {
  return new LRUCache({
    // With `max` instead of `maxSize`, lru-cache allocates the memory for all entries at once.
    maxSize: NAME_LIMIT,
    sizeCalculation: () => 1,
    dispose: (_value, _id, reason) => {
      if (reason === 'evict') onForget();
    },
  });
}
