import { z } from 'zod';
import { IncompleteRead } from '../../errors.js';
import { wrongShape } from '../records.js';
import type { OktaApi, OktaScope, Query } from './api.js';

/** Everything that Okta lists has an id. */
export interface OktaList<T extends { readonly id: string }> {
  readonly segments: readonly string[];
  readonly query?: Query;
  readonly scope: OktaScope;
  readonly place: string;
  readonly entry: z.ZodType<T>;
}

/** Beyond this many entries the read fails rather than fill the memory. */
const ENTRY_LIMIT = 200_000;

/**
 * A whole list, by `next` links (developer.okta.com/docs/api/#pagination), or IncompleteRead: for a link that was
 * followed before, an entry that comes twice, an answer of another shape.
 */
export async function readList<T extends { readonly id: string }>(
  api: OktaApi,
  list: OktaList<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const { scope, place } = list;
  const entries = new Map<string, T>();
  const seen = new Set<string>();
  for (let address: URL | undefined = api.address(list.segments, list.query); address !== undefined; ) {
    if (seen.has(address.href)) throw incomplete(`${place}: a page leads back to one that was read`);
    seen.add(address.href);
    const { value, next } = await api.get(address, scope, place, signal);
    for (const entry of parseShape(z.array(list.entry), value, place)) {
      if (entries.has(entry.id)) throw incomplete(`${place}: an entry comes twice`);
      if (entries.size === ENTRY_LIMIT) throw incomplete(`${place}: more than ${ENTRY_LIMIT} entries`);
      entries.set(entry.id, entry);
    }
    address = next;
  }
  return [...entries.values()];
}

/** The value in its documented shape, or IncompleteRead. */
export function parseShape<T>(shape: z.ZodType<T>, value: unknown, place: string): T {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  // Where it is wrong, never what it says, which is hostile and may be secret.
  const at = parsed.error.issues[0]?.path.join('.') ?? '';
  throw wrongShape(place, `the answer has another form than documented, at "${at.slice(0, 100)}"`);
}

export function incomplete(message: string, retriable = true): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable });
}
