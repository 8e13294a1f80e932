import type { ClientGrant, ResourceServer } from './client.js';
import { scopesOf } from './client.js';

/** What reads have shown of things that log entries name by an id alone. Bounded by what the tenant has. */
export interface Auth0Names {
  learn(grants: readonly ClientGrant[], apis: readonly ResourceServer[]): void;
  /** The client of a client grant. */
  clientOfGrant(grantId: string): string | undefined;
  /** An API with the scopes it had, by its id or identifier. */
  api(
    idOrIdentifier: string,
  ): { readonly identifier: string; readonly scopes: readonly string[] } | undefined;
}

/** Replaced as a whole by each complete read. */
export function createAuth0Names(): Auth0Names {
  let clients: ReadonlyMap<string, string> = new Map();
  let known: ReadonlyMap<string, { readonly identifier: string; readonly scopes: readonly string[] }> =
    new Map();
  return {
    learn(grants, apis) {
      clients = new Map(
        grants.flatMap(({ id, client_id }) => (client_id === undefined ? [] : [[id, client_id] as const])),
      );
      known = new Map(
        apis.flatMap((api) => {
          const entry = { identifier: api.identifier, scopes: scopesOf(api) };
          return [
            [api.id, entry],
            [api.identifier, entry],
          ] as const;
        }),
      );
    },
    clientOfGrant: (grantId) => clients.get(grantId),
    api: (id) => known.get(id),
  };
}
