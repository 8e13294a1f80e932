import { ClientUnreadable, IncompleteRead } from '../errors.js';
import { mapBounded } from '../limiter.js';
import type { OAuthClient } from '../model/client.js';
import type { DirectorySnapshot, UnreadableClient } from './directory.js';
import { WrongShape } from './read-errors.js';

/** If single reads of more clients fail in one complete read, or of more than half, the provider is sick, not these clients. */
const MAX_CHANGING = 10;

/**
 * Completes each client of a list, `width` at a time. A client may be gone or replaced since the list was read: if `read` is
 * incomplete, `again` reads it alone, and gives undefined if it is gone. A client that changes all the time harms only itself.
 */
export async function readListedClients<C extends { readonly clientId: string }>(
  listed: readonly C[],
  width: number,
  read: (client: C) => Promise<OAuthClient>,
  again: (client: C) => Promise<OAuthClient | undefined>,
): Promise<Pick<DirectorySnapshot, 'clients' | 'unreadable'>> {
  const unreadable: UnreadableClient[] = [];
  let left = Math.min(MAX_CHANGING, Math.floor(listed.length / 2));
  const found = await mapBounded(listed, { width }, async (client) => {
    const refuse = (why: string) => void unreadable.push({ clientId: client.clientId, why });
    try {
      return await read(client);
    } catch (error) {
      if (error instanceof ClientUnreadable) return refuse(error.why);
      if (error instanceof WrongShape) return refuse(error.message);
      if (!(error instanceof IncompleteRead)) throw error;
    }
    try {
      return await again(client);
    } catch (error) {
      if (error instanceof ClientUnreadable) return refuse(error.why);
      if (!(error instanceof IncompleteRead) || left-- <= 0) throw error;
      return refuse(error.message);
    }
  });
  return { clients: found.filter((client) => client !== undefined), unreadable };
}
