import type { Grant } from '../../model/client.js';
import { createNameCache } from '../name-cache.js';

/**
 * The names that directory reads found for IDs, because many events carry only an ID: the deletion of a client scope names
 * no scope, a role mapping names only the user of the service account. They serve evidence and shortcuts, never
 * correctness: they are empty after a start, and in a process that reads no directory.
 */
export class KeycloakNames {
  /** Scope names, client IDs and group paths by internal ID. */
  readonly scopes = createNameCache<string>();
  readonly clients = createNameCache<string>();
  readonly groups = createNameCache<string>();
  /** Roles by internal ID. A realm role has no `api`; a client role has its client ID as `api`. */
  readonly roles = createNameCache<Grant>();
  /** The internal ID of the client to which the service account belongs, by user ID. */
  readonly serviceAccounts = createNameCache<string>(() => {
    this.knowsServiceAccounts = false;
  });
  /** A complete read has found every service account, so that any other user is a person. */
  knowsServiceAccounts = false;
  /** Some client scope may require a role. True until a complete read has found none. */
  mayRestrict = true;

  /** Every known role of a client, by its client ID. */
  rolesOf(clientId: string): readonly Grant[] {
    return [...this.roles.values()].filter(({ api }) => api === clientId).reverse();
  }
}
