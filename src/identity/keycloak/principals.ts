import { LRUCache } from 'lru-cache';
import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakEvent } from './admin-event.js';
import { isInternalId } from './json.js';

/** The administrators of one realm are few. */
const MAX_KNOWN = 1_000;
/** User names that one poll may look up. */
const MAX_LOOKUPS = 10;

/**
 * Adds user names to events from the log, which has only user IDs. A webhook states the names. Each user is looked up once. A
 * user of another realm, or one that the token may not see, keeps the ID as name.
 */
export function createPrincipals(api: AdminApi) {
  const known = new LRUCache<string, string>({ max: MAX_KNOWN });

  const read = async (id: string, signal: AbortSignal): Promise<string> => {
    const found = await api.peek(['users'], { search: `id:${id}`, briefRepresentation: true }, signal);
    const user: unknown = Array.isArray(found) ? found[0] : undefined;
    return (textIn(user, 'id') === id ? textIn(user, 'username') : undefined) ?? id;
  };
  return async (events: readonly KeycloakEvent[], signal: AbortSignal): Promise<readonly KeycloakEvent[]> => {
    const ids = new Set(events.flatMap(({ userId }) => userId ?? []));
    const missing = [...ids].filter((id) => !known.has(id) && isInternalId(id)).slice(0, MAX_LOOKUPS);
    for (const id of missing) known.set(id, await read(id, signal));
    return events.map((event) => {
      const name = event.userId === undefined ? undefined : known.get(event.userId);
      return name === undefined || event.principal === undefined
        ? event
        : { ...event, principal: { ...event.principal, id: name } };
    });
  };
}
