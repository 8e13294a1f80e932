import type { AdminApi } from './admin-api.js';
import type { KeycloakEvent } from './admin-event.js';
import { isInternalId, isObject, textAt } from './json.js';

/** Administrators of one realm are few. */
const KNOWN_LIMIT = 1_000;
/** What one poll may spend on names. */
const READS = 10;

/** Gives events of the log, which knows its users by id alone, the user names that a webhook would have told. */
export interface Principals {
  name(events: readonly KeycloakEvent[], signal: AbortSignal): Promise<readonly KeycloakEvent[]>;
}

/**
 * Each user is asked for once. Users of another realm, which `view-users` does not show, and those whom the token may not
 * see stay ids.
 */
export function createPrincipals(api: AdminApi): Principals {
  const known = new Map<string, string>();

  const read = async (id: string, signal: AbortSignal): Promise<string> => {
    const found = await api.peek(['users'], { search: `id:${id}`, briefRepresentation: true }, signal);
    const user: unknown = Array.isArray(found) ? found[0] : undefined;
    return (isObject(user) && user.id === id ? textAt(user, 'username') : undefined) ?? id;
  };
  return {
    async name(events, signal) {
      const ids = new Set(events.flatMap(({ userId }) => (userId === undefined ? [] : [userId])));
      const asked = [...ids].filter((id) => !known.has(id) && isInternalId(id)).slice(0, READS);
      for (const id of asked) {
        if (known.size >= KNOWN_LIMIT) known.clear();
        known.set(id, await read(id, signal));
      }
      return events.map((event) => {
        const name = event.userId === undefined ? undefined : known.get(event.userId);
        return name === undefined || event.principal === undefined
          ? event
          : { ...event, principal: { ...event.principal, id: name } };
      });
    },
  };
}
