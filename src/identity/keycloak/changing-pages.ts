import { incomplete } from '../read-errors.js';
import type { Paged } from './pages.js';

/** A list that may have changed while it was read. */
export interface ChangingList<T> {
  /** In the order in which they were last read. */
  readonly entries: readonly T[];
  /** Entries that the first of two passes had, and the second had not. */
  readonly doubtful: readonly T[];
  /** Whether no entry was added, moved or deleted meanwhile. Then an entry that is missing does not exist. */
  readonly isWhole: boolean;
}

/** Requests without new entries, in addition to two for each page with new ones. */
const MAX_IDLE = 10;

/**
 * A list of pages that may change all the time, or IncompleteRead. Somebody who may create and delete one entry again and
 * again must not keep the others from being read. Each page must contain an entry that was read before, unchanged: as the
 * server sorts the list, no entry that existed all the time lies between the two. A page begins with the last entry of the
 * page before. Once it does not, each page begins half a page earlier, so that a change does not move the place of the read
 * out of the page.
 *
 *   page 1   a b c d           b is deleted, and the list is a c d e f
 *   page 2           f         does not begin with d
 *   page 2       d e f         begins earlier, and contains d
 *
 * An entry that was renamed meanwhile may have moved past the place of the read. So a list that changed is read twice, and
 * `isWhole` is false if both passes found changes.
 */
export async function readChangingPages<T>(list: Omit<Paged<T>, 'stopAtLimit'>): Promise<ChangingList<T>> {
  const first = await readOnce(list);
  if (first?.isWhole) return { entries: [...first.entries.values()], doubtful: [], isWhole: true };
  const second = await readOnce(list);
  if (second?.isWhole) return { entries: [...second.entries.values()], doubtful: [], isWhole: true };
  if (first === undefined || second === undefined)
    throw incomplete(list.place, 'the list changed too much during both of two reads');
  const doubtful = [...first.entries].flatMap(([id, entry]) => (second.entries.has(id) ? [] : [entry]));
  return { entries: [...second.entries.values()], doubtful, isWhole: false };
}

/** Undefined if the pages cannot be joined, or contradict each other. */
async function readOnce<T>(
  list: Omit<Paged<T>, 'stopAtLimit'>,
): Promise<{ readonly entries: ReadonlyMap<string, T>; readonly isWhole: boolean } | undefined> {
  const { place, idOf, limit, pageSize } = list;
  const entries = new Map<string, T>();
  /** The text of the last entry, which was at `offset`. */
  let last: string | undefined;
  let offset = 0;
  /** How far before `last` a page begins. */
  let overlap = 0;
  let idle = MAX_IDLE;
  const isKnown = (entry: T) => {
    const known = entries.get(idOf(entry));
    return known !== undefined && textOf(known) === textOf(entry);
  };
  for (let isWhole = true; idle >= 0; ) {
    const from = Math.max(offset - overlap, 0);
    const page = await list.read(from, pageSize);
    if (page.length > pageSize) throw incomplete(place, 'a page is longer than requested', false);
    if (new Set(page.map(idOf)).size < page.length) return undefined;
    let anchor = -1;
    if (last !== undefined) {
      const [first] = page;
      if (isWhole && (first === undefined || textOf(first) !== last)) {
        isWhole = false;
        overlap = Math.floor(pageSize / 2);
        idle--;
        continue;
      }
      anchor = isWhole ? 0 : page.findLastIndex(isKnown);
      if (anchor < 0 && from > 0) {
        offset = from;
        idle--;
        continue;
      }
    }
    const fresh = page.slice(anchor + 1);
    // A server that filters after paging may send a short page anywhere, so only an empty rest ends a whole list.
    if (fresh.length === 0 && (isWhole || page.length < pageSize)) return { entries, isWhole };
    // A sorted list does not repeat an entry after the one that was read last.
    if (fresh.some(isKnown)) return undefined;
    const before = entries.size;
    for (const entry of page) {
      // It moved, for example because it was renamed.
      if (entries.has(idOf(entry)) && !isKnown(entry)) isWhole = false;
      // In the order of the last reads.
      entries.delete(idOf(entry));
      entries.set(idOf(entry), entry);
    }
    if (!isWhole) overlap = Math.floor(pageSize / 2);
    idle += entries.size > before ? 2 : -1;
    if (entries.size > limit) throw incomplete(place, `there are more than ${limit} entries`, false);
    const end = page.at(-1);
    offset = from + page.length - 1;
    last = end === undefined ? undefined : textOf(end);
  }
  return undefined;
}

function textOf(entry: unknown): string {
  return JSON.stringify(entry);
}
