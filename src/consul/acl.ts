import type { AclObject, AclSnapshot, AclToken, Stored } from '../model/acl.js';

/** By the name of an auth method or role, in any case. */
export type TokenFilter = { readonly authMethod: string } | { readonly role: string } | 'all';

/**
 * ACL objects. They have no compare-and-set, so each object has one writer. A write is one request and is not read back:
 * the caller compares all objects after the watch reports a change, and regularly, and so sees what another writer did.
 * Throws SyncError as `Intentions` does; a list that a weak token filters or hides fields of is ERR_CONSUL_INCOMPLETE,
 * one that it may not read ERR_CONSUL_DENIED.
 */
export interface AclObjects {
  /**
   * All objects for which `isOurs` returns true, by name and description, with their full content. Of other objects only
   * the list is read. For a binding rule the name of its auth method counts. Auth methods of other types than jwt, and
   * their rules, are never ours.
   */
  read(isOurs: (name: string, description: string) => boolean, signal: AbortSignal): Promise<AclSnapshot>;
  /**
   * The objects with these names, in any case and with or without the mark: a role, an auth method of type jwt and its
   * binding rules for each name, and the policies with these names. The cost does not depend on other objects.
   */
  readNamed(names: readonly string[], policies: readonly string[], signal: AbortSignal): Promise<AclSnapshot>;
  /**
   * Creates (no `id`) or replaces; resolves with the object as Consul stored it. Repeating is safe.
   * - ERR_CONSUL_REJECTED: Consul refuses the content; an object with this name, in any case, exists and should have been
   *   created; or Consul cannot fetch the identity provider's keys (only this error is retriable). An existing equal
   *   binding rule is not an error.
   * - ERR_CONSUL_CONFLICT: Consul stored something else, or the creation replaced an auth method that another writer
   *   created at the same time; read and plan again.
   * - ERR_TIMEOUT: for an auth method or a binding rule Consul fetches the identity provider's keys and waits for them
   *   without a limit. Consul completes an abandoned write when the identity provider answers, so the object must be read
   *   again, also later.
   *
   * Refused without a request, because Consul would accept them: lifetimes outside one minute to 24 hours, and binding rules
   * that admit everyone or bind a template.
   *
   * A creation first looks for an auth method with this name and for an equal binding rule, because Consul would replace the
   * former and duplicate the latter. A caller that has just read these names passes `isAbsent`; then the write is one
   * request.
   */
  write(
    id: string | undefined,
    object: AclObject,
    signal: AbortSignal,
    known?: { readonly isAbsent: boolean },
  ): Promise<Stored<AclObject['object']>>;
  /**
   * Deletes by ID; false if the object was already gone. The deletion of an auth method ends its rules and tokens at once
   * and needs no identity provider. After the deletion of a binding rule a list can miss a token that was just issued: list
   * again. ERR_CONSUL_CONFLICT, and nothing is deleted, if `isOurs` returns false for the current Description.
   */
  delete(
    kind: AclObject['kind'],
    id: string,
    signal: AbortSignal,
    isOurs?: (description: string) => boolean,
  ): Promise<boolean>;
  /** Tokens by one filter (Consul accepts one per request), without their secrets. Empty if the role does not exist. */
  tokens(by: TokenFilter, signal: AbortSignal): Promise<readonly AclToken[]>;
  /**
   * Deletes at most 16 at a time, and at most `perSecond` per second if given; resolves with the number of deleted tokens,
   * including those that were already gone. A token that Consul refuses to delete is ERR_CONSUL_REJECTED, after the others.
   */
  deleteTokens(accessorIds: readonly string[], signal: AbortSignal, perSecond?: number): Promise<number>;
}
