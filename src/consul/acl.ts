import type { AclObject, AclSnapshot, AclToken, Stored } from '../model/acl.js';

export type { AclObject, AclSnapshot } from '../model/acl.js';

/** By the name of an auth method or role, in any case. */
export type TokenFilter = { readonly authMethod: string } | { readonly role: string } | 'all';

/**
 * ACL objects. They have no compare-and-set, so there is one writer per object. A write is one request and is not read
 * back: the caller compares all objects after a wake-up of the watch and from time to time, and sees there what
 * another writer did right after the write.
 * Throws SyncError as `Intentions` does; a list that a weak token filters or hides fields of is ERR_CONSUL_INCOMPLETE,
 * one that it may not read ERR_CONSUL_DENIED.
 */
export interface AclObjects {
  /**
   * All objects that `isOurs` says are ours by name and description, with everything in them; of others nothing is
   * read but the list. A binding rule goes by its auth method's name. Objects of auth-method types other than jwt are
   * never ours.
   */
  read(isOurs: (name: string, description: string) => boolean, signal: AbortSignal): Promise<AclSnapshot>;
  /**
   * What stands under these names, in any case: a role, an auth method of type jwt and its binding rules each; and the
   * policies of these names. Complete, and cheap however many others there are. Marked or not.
   */
  readNamed(names: readonly string[], policies: readonly string[], signal: AbortSignal): Promise<AclSnapshot>;
  /**
   * Creates (no `id`) or replaces; resolves with the object as Consul answers that it keeps it. Repeating is safe.
   * - ERR_CONSUL_REJECTED: Consul refuses the content; an object of this name, in any case, stands where one was to be
   *   created; the IdP's keys cannot be fetched, for which alone the error is retriable. A binding rule equal to the
   *   one to be created is no error: it stands already.
   * - ERR_CONSUL_CONFLICT: Consul keeps something else than was written, or the creation replaced an auth method that
   *   somebody made meanwhile; read and plan again.
   * - ERR_TIMEOUT: for an auth method or a binding rule Consul fetches the IdP's keys, and waits for them without end.
   *   Consul carries an abandoned write out when the IdP answers at last: what stands must be read again, later too.
   *
   * Refused before they reach Consul, which would take them: lifetimes outside one minute to 24 hours, binding rules
   * that admit everyone or bind a template.
   *
   * A creation looks first for an auth method of this name and for an equal binding rule, since Consul would replace the
   * one and double the other. A caller that has just read these names says `isAbsent`, and the write is one request.
   */
  write(
    id: string | undefined,
    object: AclObject,
    signal: AbortSignal,
    known?: { readonly isAbsent: boolean },
  ): Promise<Stored<AclObject['object']>>;
  /**
   * Deletes by id; false if it was gone. Deleting an auth method ends its rules and tokens at once. Needs no IdP.
   * After a binding rule is deleted, one list can miss a token that was issued at that moment: list again.
   * ERR_CONSUL_CONFLICT, and nothing is deleted, where `isOurs` does not say so of the Description that stands there now.
   */
  delete(
    kind: AclObject['kind'],
    id: string,
    signal: AbortSignal,
    isOurs?: (description: string) => boolean,
  ): Promise<boolean>;
  /** Tokens by one filter (Consul takes one at a time); never their secrets. None where there is no such role. */
  tokens(by: TokenFilter, signal: AbortSignal): Promise<readonly AclToken[]>;
  /**
   * Deletes at most 16 at a time, and at most `perSecond` where it is given; resolves with how many are gone. A token
   * that is gone already counts. One that Consul refuses to delete is ERR_CONSUL_REJECTED, after all the others.
   */
  deleteTokens(accessorIds: readonly string[], signal: AbortSignal, perSecond?: number): Promise<number>;
}
