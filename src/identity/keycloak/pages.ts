import { IncompleteRead } from '../../errors.js';

/** A list that is read by `first` and `max`, in an order of the server. */
export interface Paged<T> {
  readonly place: string;
  /** At least 2. */
  readonly pageSize: number;
  /** Beyond this many entries the read fails rather than fill the memory. */
  readonly limit: number;
  /** For a list in which what was read first is whole by itself: at the limit the read ends instead. */
  readonly stopAtLimit?: boolean;
  read(first: number, max: number): Promise<readonly T[]>;
  idOf(entry: T): string;
}

const ATTEMPTS = 3;

/**
 * The whole list, or IncompleteRead. Whatever is added or deleted while it is read shifts the pages, so that
 * an entry could fall between two of them. Each page therefore begins with the last entry of the one before;
 * if it doesn't, or an entry comes twice, everything is read again. The end is not a short page, which a
 * server that filters after paging may send anywhere, but a page that holds nothing beyond its first entry.
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
  throw incomplete(`${list.place}: the list changed during each of ${ATTEMPTS} reads`, true);
}

async function readOnce<T>(list: Paged<T>): Promise<readonly T[] | undefined> {
  const entries: T[] = [];
  const seen = new Set<string>();
  for (;;) {
    const first = Math.max(entries.length - 1, 0);
    const page = await list.read(first, list.pageSize);
    if (page.length > list.pageSize)
      throw incomplete(`${list.place}: a page is longer than asked for`, false);
    const last = entries.at(-1);
    const [anchor, ...rest] = page;
    if (last !== undefined && (anchor === undefined || list.idOf(anchor) !== list.idOf(last)))
      return undefined;
    const fresh = last === undefined ? page : rest;
    if (fresh.length === 0) return entries;
    for (const entry of fresh) {
      if (seen.has(list.idOf(entry))) return undefined;
      seen.add(list.idOf(entry));
      entries.push(entry);
    }
    if (entries.length >= list.limit && list.stopAtLimit) return entries;
    if (entries.length > list.limit) {
      throw incomplete(`${list.place}: more than ${list.limit} entries`, false);
    }
  }
}

function incomplete(message: string, retriable: boolean): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable });
}
