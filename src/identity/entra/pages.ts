import { z } from 'zod';
import type { Query } from '../api-client.js';
import { readLinkedPages } from '../linked-pages.js';
import { parseShape } from '../records.js';
import type { GraphApi } from './graph-api.js';
import type { PropertySelection } from './property-selection.js';

const PAGE = z.object({
  value: z.array(z.unknown()),
  '@odata.nextLink': z.string().optional(),
});

/** Entries per page: Graph's maximum. */
export const PAGE_SIZE = 999;

/** A complete collection of Graph, page by page (https://learn.microsoft.com/graph/paging), or IncompleteRead. */
export function readCollection<T extends { readonly id: string }>(
  api: GraphApi,
  collection: {
    readonly path: string;
    readonly query: Query;
    /** Replaces a `$select` in the query. */
    readonly selection?: PropertySelection;
    readonly what: string;
  },
  entry: z.ZodType<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const { path, query, selection, what } = collection;
  const place = api.placeOf(what);
  const firstAddress = () =>
    api.addressOf(path, selection === undefined ? query : { ...query, $select: selection.fields });
  const first = firstAddress();
  return readLinkedPages({
    place,
    first,
    maxPages: 2000,
    read: async (page: URL) => {
      let url = page;
      let answer = await api.send(url, place, {}, signal);
      while (page === first && selection?.narrow(answer, url)) {
        url = firstAddress();
        answer = await api.send(url, place, {}, signal);
      }
      const { value, '@odata.nextLink': next } = parseShape(PAGE, api.json(answer, place), place);
      return {
        entries: value.map((each) => parseShape(entry, each, place)),
        next: next === undefined ? undefined : api.linkOf(next, place),
      };
    },
    idOf: ({ id }) => id,
  });
}
