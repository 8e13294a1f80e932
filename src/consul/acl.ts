import type { AclObject, AclSnapshot, AclToken, Stored } from '../model/acl.js';

export type { AclObject, AclSnapshot } from '../model/acl.js';

/**
 * ACL objects. They have no compare-and-set, so there is one writer per object and every write is read back.
 * Throws SyncError as `Intentions` does; a list that a weak token filters or hides fields of is ERR_CONSUL_INCOMPLETE.
 */
export interface AclObjects {
  /**
   * All objects that `isOurs` says are ours by name and description, with everything in them; of others nothing is
   * read but the list. Objects of auth-method types other than jwt are never ours.
   */
  read(isOurs: (name: string, description: string) => boolean, signal: AbortSignal): Promise<AclSnapshot>;
  /**
   * Creates (no `id`) or replaces, then reads back and compares; resolves with what stands. Creating an auth method makes
   * Consul fetch its keys: if the IdP is down that is ERR_CONSUL_REJECTED, if it hangs ERR_TIMEOUT.
   */
  write(id: string | undefined, object: AclObject, signal: AbortSignal): Promise<Stored<AclObject['object']>>;
  /** Deletes by id; false if it was gone. Deleting an auth method ends its rules and tokens at once. */
  delete(kind: AclObject['kind'], id: string, signal: AbortSignal): Promise<boolean>;
  /** Tokens by one filter (Consul takes one at a time); never their secrets. */
  tokens(
    by: { readonly authMethod: string } | { readonly role: string } | 'all',
    signal: AbortSignal,
  ): Promise<readonly AclToken[]>;
  /** Deletes at most 16 at a time; resolves with how many are gone. A token that is gone already counts. */
  deleteTokens(accessorIds: readonly string[], signal: AbortSignal): Promise<number>;
}
