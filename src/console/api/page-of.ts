import { compareText } from '../../model/compare-text.js';
import { isRecord } from '../../model/is-record.js';
import { jsonIn } from '../../model/json-in.js';

/** By what rows are sorted; the name makes the place of each row its own. */
export interface Place {
  /** The largest first; the same for all rows that are sorted by name alone. */
  readonly value: number;
  readonly name: string;
}

/** One page of rows, and the cursor of the next one. A row that comes or goes between two pages moves no other. */
export function pageOf<Row>(
  rows: readonly Row[],
  placeOf: (row: Row) => Place,
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): { total: number; rows: Row[]; next: string | null } {
  const placed = rows.map((row) => ({ row, place: placeOf(row) }));
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const left = after === undefined ? placed : placed.filter(({ place }) => comparePlaces(place, after) > 0);
  left.sort((a, b) => comparePlaces(a.place, b.place));
  const page = left.slice(0, limit);
  const last = page.at(-1)?.place;
  return {
    total: rows.length,
    rows: page.map(({ row }) => row),
    next: last === undefined || page.length === left.length ? null : JSON.stringify([last.value, last.name]),
  };
}

function comparePlaces(a: Place, b: Place): number {
  return b.value - a.value || compareText(a.name, b.name);
}

/** Undefined for a text that no page gave: the first page. */
function parseCursor(cursor: string): Place | undefined {
  const value = jsonIn(cursor);
  if (!Array.isArray(value) || isRecord(value)) return undefined;
  const [first, second]: readonly unknown[] = value;
  return typeof first === 'number' && typeof second === 'string' ? { value: first, name: second } : undefined;
}
