import { createNameCache } from '../name-cache.js';
import type { ClientGrant, ResourceServer } from './client.js';
import { scopesOf } from './client.js';

/**
 * What reads found for IDs, because many log entries carry only an ID. A name is kept when a later read does not show it any
 * more: the log reports a removal only after the first read without the removed object.
 */
export interface Auth0Names {
  add(grants: readonly ClientGrant[], apis: readonly ResourceServer[]): void;
  /** The client of a client grant. */
  clientOfGrant(grantId: string): string | undefined;
  /** An API with all scopes that reads found, by its ID or identifier. */
  api(idOrIdentifier: string): KnownApi | undefined;
}

interface KnownApi {
  readonly identifier: string;
  /** The latest first. */
  readonly scopes: readonly string[];
}

/** Twice Auth0's maximum (auth0.com/docs/troubleshoot/customer-support/operational-policies/entity-limit-policy). */
const MAX_SCOPES = 2_000;

export function createAuth0Names(): Auth0Names {
  const clients = createNameCache<string>();
  const known = createNameCache<KnownApi>();
  return {
    add(grants, apis) {
      for (const { id, client_id } of grants) if (client_id !== undefined) clients.set(id, client_id);
      for (const api of apis) {
        // By ID: a new API with the identifier of a deleted one is another API.
        const seen = new Set([...scopesOf(api), ...(known.get(api.id)?.scopes ?? [])]);
        const entry = { identifier: api.identifier, scopes: [...seen].slice(0, MAX_SCOPES) };
        known.set(api.id, entry);
        known.set(api.identifier, entry);
      }
    },
    clientOfGrant: (grantId) => clients.get(grantId),
    api: (id) => known.get(id),
  };
}
