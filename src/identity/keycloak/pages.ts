import { incomplete } from '../read-errors.js';

/** A list that is read by `first` and `max`, in the order of the server. */
export interface Paged<T> {
  readonly place: string;
  /** At least 2. */
  readonly pageSize: number;
  /** With more entries the read fails, so that it cannot fill the memory. */
  readonly limit: number;
  /** At the limit the read ends instead: what was read first is complete by itself. */
  readonly stopAtLimit?: boolean;
  read(first: number, max: number): Promise<readonly T[]>;
  idOf(entry: T): string;
}

const ATTEMPTS = 3;

/**
 * The complete list, or IncompleteRead, for a list that seldom changes. An entry that is added or deleted during the read
 * shifts the pages, so that another entry could fall between two of them. So each page begins with the last entry of the
 * page before. If it does not, or if an entry comes twice, everything is read again. A short page does not end the list, because a server that filters after
 * paging may send one anywhere. The end is a page with nothing after its first entry.
 *
 *   page 1   a b c
 *   page 2       c d e
 *   page 3           e
 */
export async function readPages<T>(list: Paged<T>): Promise<readonly T[]> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const entries = await readOnce(list);
    if (entries !== undefined) return entries;
  }
  throw incomplete(list.place, `the list changed during each of ${ATTEMPTS} reads`);
}

async function readOnce<T>(list: Paged<T>): Promise<readonly T[] | undefined> {
  const { place, idOf, limit } = list;
  const entries: T[] = [];
  const seen = new Set<string>();
  for (;;) {
    const page = await list.read(Math.max(entries.length - 1, 0), list.pageSize);
    if (page.length > list.pageSize) throw incomplete(place, 'a page is longer than requested', false);
    const last = entries.at(-1);
    const [anchor, ...rest] = page;
    if (last !== undefined && (anchor === undefined || idOf(anchor) !== idOf(last))) return undefined;
    const fresh = last === undefined ? page : rest;
    if (fresh.length === 0) return entries;
    for (const entry of fresh) {
      if (seen.has(idOf(entry))) return undefined;
      seen.add(idOf(entry));
      entries.push(entry);
    }
    if (entries.length >= limit && list.stopAtLimit) return entries;
    if (entries.length > limit) throw incomplete(place, `there are more than ${limit} entries`, false);
  }
}
