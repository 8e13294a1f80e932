import { z } from 'zod';
import { parseJson } from '../http-client.js';
import { wrongShape } from '../records.js';
import { type GraphApi, incomplete, type Query } from './graph-api.js';
import type { Selection } from './selection.js';

const MOST_PAGES = 2000;

const page = z.object({
  value: z.array(z.unknown()),
  '@odata.nextLink': z.string().optional(),
});

/**
 * A whole collection of Graph, page by page (https://learn.microsoft.com/graph/paging), or IncompleteRead: a page that
 * leads back or elsewhere, an entry that comes twice because the pages shifted, a body of another shape.
 */
export async function readCollection<T extends { readonly id: string }>(
  api: GraphApi,
  collection: {
    readonly path: string;
    readonly query: Query;
    /** In place of a `$select` in the query. */
    readonly selection?: Selection;
    readonly what: string;
  },
  entry: z.ZodType<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const place = api.placeOf(collection.what);
  const entries = new Map<string, T>();
  const seen = new Set<string>();
  const { path, query, selection } = collection;
  const first = () =>
    api.addressOf(path, selection === undefined ? query : { ...query, $select: selection.fields });
  let url = first();
  for (;;) {
    if (seen.has(url.href)) throw incomplete(`${place}: nextLink leads back to a page already read`);
    if (seen.size === MOST_PAGES) throw incomplete(`${place}: more than ${MOST_PAGES} pages`);
    seen.add(url.href);
    const answer = await api.send(url, place, {}, signal);
    if (seen.size === 1 && selection?.narrow(answer, url)) {
      seen.clear();
      url = first();
      continue;
    }
    if (answer.status !== 200) throw api.refusalOf(answer, place);
    const { value, '@odata.nextLink': next } = parse(page, parseJson(answer, place), place);
    for (const each of value) {
      const parsed = parse(entry, each, place);
      if (entries.has(parsed.id)) throw incomplete(`${place}: an entry is listed twice`);
      entries.set(parsed.id, parsed);
    }
    if (next === undefined) return [...entries.values()];
    url = api.linkOf(next, place);
  }
}

/** IncompleteRead that names the field, and no value: those are hostile. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, place: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') ?? '';
  throw wrongShape(place, `${where === '' ? 'the answer' : where} has not the documented shape`);
}
