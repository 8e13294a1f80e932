import { z } from 'zod';
import { ClientUnreadable, IncompleteRead } from '../../../src/errors.js';
import type { Directory, UnreadableClient } from '../../../src/identity/directory.js';
import type { OAuthClient } from '../../../src/model/client.js';
import type { TemplateApi } from './api.js';
import { parseClient } from './client.js';

export interface TemplateDirectoryOptions {
  readonly provider: string;
  readonly apis: readonly string[];
  readonly api: TemplateApi;
}

const PAGE = z.object({ items: z.array(z.unknown()), next: z.string().min(1).nullable() });
const MOST_PAGES = 10_000;

export function createTemplateDirectory(options: TemplateDirectoryOptions): Directory {
  const { provider, api } = options;
  const place = `provider ${provider}, /clients`;

  /** One record that cannot be parsed spoils no other. */
  const parseOrNote = (item: unknown, unreadable: UnreadableClient[]): OAuthClient | undefined => {
    try {
      return parseClient(item, options, place);
    } catch (error) {
      if (!(error instanceof ClientUnreadable)) throw error;
      const { clientId, why } = error;
      unreadable.push(clientId === undefined ? { why } : { clientId, why });
      return undefined;
    }
  };

  return {
    provider,
    // Everything, or an error: a read that was cut, that repeats itself or that anybody refused is never a shorter list,
    // because what is missing from it would be closed.
    async readAll(signal) {
      const before = api.requests;
      const clients = new Map<string, OAuthClient>();
      const unreadable: UnreadableClient[] = [];
      const cursors = new Set<string>();
      for (let next: string | null = ''; next !== null; ) {
        if (cursors.has(next)) throw incomplete(place, 'the list leads back to a page already read');
        if (cursors.size === MOST_PAGES) throw incomplete(place, `there are more than ${MOST_PAGES} pages`);
        cursors.add(next);
        const page = PAGE.safeParse(await api.get('/clients', next === '' ? {} : { after: next }, signal));
        if (!page.success) throw incomplete(place, 'a page has another form than expected');
        for (const item of page.data.items) {
          const client = parseOrNote(item, unreadable);
          if (client === undefined) continue;
          if (clients.has(client.clientId)) throw incomplete(place, 'a client is in the list twice');
          clients.set(client.clientId, client);
        }
        next = page.data.next;
      }
      // Where an IdP leaves out of its lists what the token may not see, ask for something that must be there: the
      // client as which scopemesh reads.
      return { clients: [...clients.values()], unreadable, requests: api.requests - before };
    },
    async read(by, value, signal) {
      // No event of this IdP names a client by a user.
      if (by === 'serviceAccount' || value === '') return undefined;
      // In the query, because ids hold slashes and dots, which a path would resolve.
      const key = by === 'clientId' ? 'clientId' : 'id';
      const found = await api.find('/client', { [key]: value }, signal);
      if (found === undefined) return undefined;
      const client = parseClient(found, options, place);
      const said = by === 'clientId' ? client.clientId : client.internalId;
      if (said !== value) throw incomplete(place, 'a read of one client found another');
      return client;
    },
    // Each permission under the exact name by which somebody grants it.
    checkAccess: async (signal) => [
      {
        permission: 'clients:read',
        neededFor: 'the clients and their scopes',
        isGranted: await api.may('/clients', signal),
      },
      {
        permission: 'events:read',
        neededFor: 'the log in which a poll finds changes',
        isGranted: await api.may('/events', signal),
      },
    ],
    // readMembers: people of the groups under `groups:`, where the IdP can tell.
    close: () => api.close(),
  };
}

function incomplete(place: string, reason: string): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${reason}`, { retriable: true });
}
