import { z } from 'zod';
import type { Query } from '../api-client.js';
import { readLinkedPages } from '../linked-pages.js';
import { parseShape } from '../records.js';
import type { OktaApi, OktaScope } from './api.js';

/** Everything that Okta lists has an ID. */
interface OktaList<T extends { readonly id: string }> {
  readonly segments: readonly string[];
  readonly query?: Query;
  readonly scope: OktaScope;
  readonly place: string;
  readonly entry: z.ZodType<T>;
}

/** A complete list, by `next` links (developer.okta.com/docs/api/#pagination), or IncompleteRead. */
export function readList<T extends { readonly id: string }>(
  api: OktaApi,
  { segments, query, scope, place, entry }: OktaList<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  return readLinkedPages({
    place,
    first: api.address(segments, query),
    read: async (address: URL) => {
      const { value, next } = await api.get(address, scope, place, signal);
      return { entries: parseShape(z.array(entry), value, place), next };
    },
    idOf: ({ id }) => id,
  });
}
