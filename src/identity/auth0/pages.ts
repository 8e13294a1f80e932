import { z } from 'zod';
import type { Query } from '../api-client.js';
import { readLinkedPages } from '../linked-pages.js';
import { incomplete } from '../read-errors.js';
import { parseShape } from '../records.js';
import type { ManagementApi } from './management-api.js';

/** An object, or a record that cannot be parsed. */
interface Listed {
  readonly id: string;
}

/** A list of the Management API: its path, its field in the answer, and its entries. */
interface ListRequest<T extends Listed> {
  readonly segments: readonly string[];
  readonly query?: Query;
  readonly field: string;
  readonly entry: z.ZodType<T>;
}

/** With more entries the read fails, so that it cannot fill the memory. */
const MAX_ENTRIES = 200_000;
const ATTEMPTS = 3;

/**
 * A complete list by checkpoints (`from` and `take`), which do not shift when an entry is added or deleted meanwhile.
 * Throws IncompleteRead if a checkpoint or an entry comes twice.
 */
export function readByCheckpoint<T extends Listed>(
  api: ManagementApi,
  list: ListRequest<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const { segments, field } = list;
  const shape = z.looseObject({ next: z.string().nullish() });
  return readLinkedPages({
    place: api.placeOf(segments),
    // The first page has no checkpoint.
    first: '',
    read: async (from: string) => {
      const query = { ...list.query, take: api.pageSize, ...(from === '' ? {} : { from }) };
      const value = await api.get({ segments, query, shape }, signal);
      return { entries: entriesIn(api, value[field], list), next: value.next || undefined };
    },
    idOf: ({ id }) => id,
  });
}

/**
 * A complete list by page numbers. Pages shift when an entry is deleted meanwhile, so that another entry falls between two
 * of them. So a list of several pages is read until two reads in a row give the same IDs, and the number of entries that
 * Auth0 states on each page.
 */
export async function readByNumber<T extends Listed>(
  api: ManagementApi,
  list: ListRequest<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  let before: string | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS + 1; attempt++) {
    const { entries, pages } = await readNumbered(api, list, signal);
    if (entries === undefined) continue;
    const ids = JSON.stringify([...entries.keys()].sort());
    if (pages <= 1 || ids === before) return [...entries.values()];
    before = ids;
  }
  throw incomplete(api.placeOf(list.segments), 'the list changed during each read');
}

/** `entries` is undefined if the list changed during the read. */
async function readNumbered<T extends Listed>(api: ManagementApi, list: ListRequest<T>, signal: AbortSignal) {
  const { segments } = list;
  const shape = z.looseObject({ total: z.int().nonnegative() });
  const entries = new Map<string, T>();
  let stated: number | undefined;
  for (let page = 0; ; page++) {
    const query = { ...list.query, page, per_page: api.pageSize, include_totals: true };
    const value = await api.get({ segments, query, shape }, signal);
    const found = entriesIn(api, value[list.field], list);
    const { total } = value;
    stated ??= total;
    if (total !== stated || found.some((entry) => entries.has(entry.id)))
      return { entries: undefined, pages: page + 1 };
    for (const entry of found) {
      if (entries.has(entry.id)) throw incomplete(api.placeOf(segments), 'an entry is listed twice');
      entries.set(entry.id, entry);
    }
    if (entries.size > MAX_ENTRIES)
      throw incomplete(api.placeOf(segments), `there are more than ${MAX_ENTRIES} entries`);
    if (found.length === 0 || entries.size === total)
      return { entries: entries.size === total ? entries : undefined, pages: page + 1 };
  }
}

function entriesIn<T extends Listed>(api: ManagementApi, value: unknown, list: ListRequest<T>): readonly T[] {
  return parseShape(z.array(list.entry), value, api.placeOf(list.segments));
}
