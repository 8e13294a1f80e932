import type { ClientGrant, ResourceServer } from './client.js';
import { scopesOf } from './client.js';

/**
 * What reads have shown of things that log entries name by an id alone. It is kept when a later read shows it no more: the
 * log tells of a removal only after the first read that lacks what was removed.
 */
export interface Auth0Names {
  learn(grants: readonly ClientGrant[], apis: readonly ResourceServer[]): void;
  /** The client of a client grant. */
  clientOfGrant(grantId: string): string | undefined;
  /** An API with all scopes that it was seen with, by its id or identifier. */
  api(idOrIdentifier: string): KnownApi | undefined;
}

interface KnownApi {
  readonly identifier: string;
  /** The latest first. */
  readonly scopes: readonly string[];
}

const LIMIT = 200_000;
/** Twice as many as Auth0 lets an API have (auth0.com/docs/troubleshoot/customer-support/operational-policies/entity-limit-policy). */
const SCOPES_LIMIT = 2_000;

export function createAuth0Names(): Auth0Names {
  const clients = new Map<string, string>();
  const known = new Map<string, KnownApi>();
  return {
    learn(grants, apis) {
      for (const { id, client_id } of grants) if (client_id !== undefined) keep(clients, id, client_id);
      for (const api of apis) {
        // By its id: one that is made anew under the identifier of a deleted one is another.
        const seen = new Set([...scopesOf(api), ...(known.get(api.id)?.scopes ?? [])]);
        const entry = { identifier: api.identifier, scopes: [...seen].slice(0, SCOPES_LIMIT) };
        keep(known, api.id, entry);
        keep(known, api.identifier, entry);
      }
    },
    clientOfGrant: (grantId) => clients.get(grantId),
    api: (id) => known.get(id),
  };
}

/** The oldest goes first; no tenant has that many, but what comes from outside must not fill the memory. */
function keep<T>(names: Map<string, T>, key: string, value: T): void {
  names.delete(key);
  names.set(key, value);
  const oldest = names.keys().next();
  if (names.size > LIMIT && !oldest.done) names.delete(oldest.value);
}
