import { z } from 'zod';
import { IncompleteRead } from '../../errors.js';
import type { ManagementApi, Query } from './management-api.js';

/** A list of the Management API: where it is, under which name it stands in the answer, what its entries are. */
export interface ListRequest<T> {
  readonly segments: readonly string[];
  readonly query?: Query;
  readonly field: string;
  readonly entry: z.ZodType<T>;
  readonly idOf: (entry: T) => string;
}

/** Beyond this many the read fails rather than fill the memory. */
const ENTRY_LIMIT = 200_000;
const ATTEMPTS = 3;

/**
 * A list by checkpoints (`from` and `take`), which nothing that is added or deleted meanwhile can shift. IncompleteRead
 * for a checkpoint or an entry that comes twice.
 */
export async function readByCheckpoint<T>(
  api: ManagementApi,
  list: ListRequest<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const shape = z.looseObject({ next: z.string().nullish() });
  const entries = new Map<string, T>();
  const seen = new Set<string>();
  for (let from: string | undefined; ; ) {
    const query = { ...list.query, take: api.pageSize, ...(from === undefined ? {} : { from }) };
    const { value } = await api.get({ segments: list.segments, query, shape }, signal);
    for (const entry of entriesIn(value[list.field], list)) addOnce(entries, entry, list);
    const { next } = value;
    if (typeof next !== 'string' || next === '') return [...entries.values()];
    if (seen.has(next)) throw incomplete(list, 'a checkpoint leads back to one that was read');
    seen.add(next);
    from = next;
  }
}

/**
 * A list by page numbers, which shift when an entry is deleted meanwhile, so that another falls between two pages. A
 * list of more than one page is therefore read until two reads in a row show the same ids, and as many as Auth0 counts on
 * each of their pages.
 */
export async function readByNumber<T>(
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
  throw incomplete(list, 'the list changed during each read');
}

/** No entries: the list changed while it was read. */
async function readNumbered<T>(api: ManagementApi, list: ListRequest<T>, signal: AbortSignal) {
  const shape = z.looseObject({ total: z.int().nonnegative() });
  const entries = new Map<string, T>();
  let counted: number | undefined;
  for (let page = 0; ; page++) {
    const query = { ...list.query, page, per_page: api.pageSize, include_totals: true };
    const { value } = await api.get({ segments: list.segments, query, shape }, signal);
    const found = entriesIn(value[list.field], list);
    const { total } = value;
    counted ??= total;
    if (total !== counted || found.some((entry) => entries.has(list.idOf(entry))))
      return { entries: undefined, pages: page + 1 };
    for (const entry of found) addOnce(entries, entry, list);
    if (found.length === 0 || entries.size === total)
      return { entries: entries.size === total ? entries : undefined, pages: page + 1 };
  }
}

function entriesIn<T>(value: unknown, list: ListRequest<T>): readonly T[] {
  const parsed = z.array(list.entry).safeParse(value);
  if (parsed.success) return parsed.data;
  const at = parsed.error.issues[0]?.path.join('.') ?? '';
  throw incomplete(list, `the answer has another form than documented, at "${at.slice(0, 100)}"`);
}

function addOnce<T>(entries: Map<string, T>, entry: T, list: ListRequest<T>): void {
  const id = list.idOf(entry);
  if (entries.has(id)) throw incomplete(list, 'an entry comes twice');
  if (entries.size === ENTRY_LIMIT) throw incomplete(list, `more than ${ENTRY_LIMIT} entries`);
  entries.set(id, entry);
}

function incomplete<T>(list: ListRequest<T>, what: string): IncompleteRead {
  const message = `${list.field} of Auth0: ${what}`;
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
}
