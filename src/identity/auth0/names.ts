import { createNameCache } from '../name-cache.js';
import type { ClientGrant, ResourceServer } from './client.js';
import { scopesOf } from './client.js';

interface KnownApi {
  readonly identifier: string;
  /** All scopes that reads found, the latest first. */
  readonly scopes: readonly string[];
}

/** Twice Auth0's maximum (auth0.com/docs/troubleshoot/customer-support/operational-policies/entity-limit-policy). */
const MAX_SCOPES = 2_000;

/**
 * What reads found for IDs, because many log entries carry only an ID. A name is kept when a later read does not show it any
 * more: the log reports a removal only after the first read without the removed object.
 */
export class Auth0Names {
  /** The client of a client grant, by the ID of the grant. */
  readonly clientsByGrant = createNameCache<string>();
  /** APIs by ID and by identifier. */
  readonly apis = createNameCache<KnownApi>();

  add(grants: readonly ClientGrant[], apis: readonly ResourceServer[]): void {
    for (const { id, client_id } of grants)
      if (client_id !== undefined) this.clientsByGrant.set(id, client_id);
    for (const api of apis) {
      // By ID: a new API with the identifier of a deleted one is another API.
      const seen = new Set([...scopesOf(api), ...(this.apis.get(api.id)?.scopes ?? [])]);
      const entry = { identifier: api.identifier, scopes: [...seen].slice(0, MAX_SCOPES) };
      this.apis.set(api.id, entry);
      this.apis.set(api.identifier, entry);
    }
  }
}
