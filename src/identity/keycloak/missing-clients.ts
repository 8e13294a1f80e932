import { ClientUnreadable } from '../../errors.js';
import type { UnreadableClient } from '../directory.js';
import { toUnreadable } from '../records.js';
import type { ChangingList } from './changing-pages.js';
import { isInternalId } from './json.js';

interface Identified {
  readonly internalId: string;
  /** Undefined if the record does not state it. */
  readonly clientId: string | undefined;
}

/** If more are missing, the others keep what they have until a later read. */
const MAX_ASKED = 50;

/**
 * The clients that the last complete read found. A list that changed while it was read does not prove that a client is
 * gone, so each one that it lacks is asked for alone.
 */
export function createMissingClients() {
  /** Client IDs by internal ID. */
  let known: ReadonlyMap<string, string | undefined> = new Map();
  let unconfirmed: ReadonlyMap<string, string | undefined> = new Map();

  return {
    /**
     * `find` reads a client by its internal ID; undefined if Keycloak itself says that it does not exist. `found` exist
     * although the list lacks them. Of those that are `unreadable` it is unknown whether they exist.
     */
    async confirm<T extends Identified>(
      { entries, doubtful, isWhole }: ChangingList<T>,
      find: (internalId: string, signal: AbortSignal) => Promise<T | undefined>,
      signal: AbortSignal,
    ): Promise<{ readonly found: readonly T[]; readonly unreadable: UnreadableClient[] }> {
      unconfirmed = new Map();
      if (isWhole) return { found: [], unreadable: [] };
      const listed = new Set(entries.map(({ internalId }) => internalId));
      const missing = new Map(
        [...known, ...doubtful.map(({ internalId, clientId }) => [internalId, clientId] as const)].filter(
          ([internalId]) => !listed.has(internalId) && isInternalId(internalId),
        ),
      );
      const found: T[] = [];
      const unreadable: UnreadableClient[] = [];
      const askable = [...missing];
      for (const [internalId, clientId] of askable.slice(0, MAX_ASKED)) {
        try {
          const client = await find(internalId, signal);
          if (client !== undefined) found.push(client);
        } catch (error) {
          if (!(error instanceof ClientUnreadable)) throw error;
          unreadable.push(toUnreadable(error.clientId ?? clientId, error.why));
        }
      }
      const rest = askable.slice(MAX_ASKED);
      for (const [, clientId] of rest)
        unreadable.push(toUnreadable(clientId, 'it is missing from a list that changed while it was read'));
      unconfirmed = new Map(rest);
      return { found, unreadable };
    },
    /** Call it after a complete read. */
    remember(clients: readonly Identified[]): void {
      known = new Map([
        ...unconfirmed,
        ...clients.map(({ internalId, clientId }) => [internalId, clientId] as const),
      ]);
    },
  };
}
