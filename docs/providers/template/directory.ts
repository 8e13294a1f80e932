import { z } from 'zod';
import { ClientUnreadable } from '../../../src/errors.js';
import type { Directory, UnreadableClient } from '../../../src/identity/directory.js';
import { readLinkedPages } from '../../../src/identity/linked-pages.js';
import { incomplete } from '../../../src/identity/read-errors.js';
import { parseShape, toUnreadable } from '../../../src/identity/records.js';
import type { OAuthClient } from '../../../src/model/client.js';
import type { TemplateApi } from './api.js';
import { parseClient } from './client.js';

export interface TemplateDirectoryOptions {
  readonly provider: string;
  readonly apis: readonly string[];
  readonly api: TemplateApi;
}

const PAGE = z.object({ items: z.array(z.unknown()), next: z.string().min(1).nullable() });

export function createTemplateDirectory(options: TemplateDirectoryOptions): Directory {
  const { provider, api } = options;
  const place = `provider ${provider}, /clients`;

  /** An invalid record does not affect the others. */
  const parseAll = (items: readonly unknown[], unreadable: UnreadableClient[]): readonly OAuthClient[] =>
    items.flatMap((item) => {
      try {
        return [parseClient(item, options, place)];
      } catch (error) {
        if (!(error instanceof ClientUnreadable)) throw error;
        unreadable.push(toUnreadable(error.clientId, error.why));
        return [];
      }
    });

  return {
    provider,
    // Everything, or an error. A truncated, repeated or refused read must not look like a shorter list, because the access of
    // missing clients is closed.
    async readAll(signal) {
      // Large tenants have limits, so each comparison states what it cost.
      const before = api.requests();
      const unreadable: UnreadableClient[] = [];
      const clients = await readLinkedPages({
        place,
        first: '',
        read: async (after: string) => {
          const answer = await api.get('/clients', after === '' ? {} : { after }, signal);
          const { items, next } = parseShape(PAGE, answer, place);
          return { entries: parseAll(items, unreadable), next: next ?? undefined };
        },
        idOf: ({ clientId }) => clientId,
      });
      // If an identity provider leaves out of its lists what the token may not see, check for something that must be there:
      // the client of scopemesh.
      return { clients, unreadable, requests: api.requests() - before };
    },
    async read(by, value, signal) {
      // No event of this identity provider names a client by a user.
      if (by === 'serviceAccount' || value === '') return undefined;
      // In the query, because IDs may contain slashes and dots, which a path would resolve.
      const key = by === 'clientId' ? 'clientId' : 'id';
      const found = await api.find('/client', { [key]: value }, signal);
      if (found === undefined) return undefined;
      const client = parseClient(found, options, place);
      const id = by === 'clientId' ? client.clientId : client.internalId;
      if (id !== value) throw incomplete(place, 'a read of one client returned another');
      return client;
    },
    // Each permission by the exact name under which it is granted.
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
    // readMembers: the people of the groups under `groups:`, if the identity provider can say.
    close: () => api.close(),
  };
}
