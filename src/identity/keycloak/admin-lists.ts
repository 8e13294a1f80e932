import type { AdminApi } from './admin-api.js';
import { type ChangingList, readChangingPages } from './changing-pages.js';
import type { Paged } from './pages.js';

type AdminList<T> = Pick<Paged<T>, 'place' | 'pageSize' | 'limit'> & {
  readonly segments: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  readonly parse: (value: unknown) => T;
};

/**
 * A list of the Admin API. `parse` throws for an entry that it cannot parse. If it changes all the time, an entry that one of
 * two passes had is in it.
 */
export async function readList<T extends { readonly id: string }>(
  api: AdminApi,
  list: AdminList<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const { entries, doubtful } = await readChangingList(api, list, signal);
  return [...entries, ...doubtful];
}

/** The same, with what is known about the changes. */
export function readChangingList<T extends { readonly id: string }>(
  api: AdminApi,
  list: AdminList<T>,
  signal: AbortSignal,
): Promise<ChangingList<T>> {
  const { segments, query, parse } = list;
  return readChangingPages({
    ...list,
    read: async (first, max) =>
      (await api.list(segments, { ...query, first, max, briefRepresentation: true }, signal)).map(parse),
    idOf: ({ id }) => id,
  });
}
