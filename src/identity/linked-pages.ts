import { incomplete } from './read-errors.js';

interface LinkedPages<T, P> {
  readonly place: string;
  /** The address or checkpoint of the first page. */
  readonly first: P;
  /** `next` is undefined on the last page. */
  readonly read: (page: P) => Promise<{ readonly entries: readonly T[]; readonly next: P | undefined }>;
  readonly idOf: (entry: T) => string;
  readonly maxPages?: number;
}

/** With more entries the read fails, so that it cannot fill the memory. */
const MAX_ENTRIES = 200_000;

/**
 * A complete list whose pages name the next page. Throws IncompleteRead if a page leads back to an earlier one, if an
 * entry is listed twice, or if the list does not end.
 */
export async function readLinkedPages<T, P extends URL | string>(
  list: LinkedPages<T, P>,
): Promise<readonly T[]> {
  const { place, maxPages = MAX_ENTRIES } = list;
  const entries = new Map<string, T>();
  const seen = new Set<string>();
  for (let page: P | undefined = list.first; page !== undefined; ) {
    if (seen.has(String(page))) throw incomplete(place, 'a page leads back to one that was already read');
    if (seen.size === maxPages) throw incomplete(place, `there are more than ${maxPages} pages`);
    seen.add(String(page));
    const answer: Awaited<ReturnType<typeof list.read>> = await list.read(page);
    for (const entry of answer.entries) {
      const id = list.idOf(entry);
      if (entries.has(id)) throw incomplete(place, 'an entry is listed twice');
      if (entries.size === MAX_ENTRIES) throw incomplete(place, `there are more than ${MAX_ENTRIES} entries`);
      entries.set(id, entry);
    }
    page = answer.next;
  }
  return [...entries.values()];
}
