import type { OAuthClient } from '../model/client.js';
import type { ClientReference } from '../model/key.js';
import type { Members } from '../model/members.js';

/** A complete read; there is no partial one. */
export interface DirectorySnapshot {
  readonly clients: readonly OAuthClient[];
  /** Records that cannot be parsed; of these clients nothing is known, and `clients` does not have them. */
  readonly unreadable: readonly UnreadableClient[];
  /** Requests that the read cost, since large tenants have limits; those that ran beside it may be among them. */
  readonly requests: number;
}

/** A record of a client that cannot be parsed. */
export interface UnreadableClient {
  /** Absent where the record does not say whose it is: then no client that the read does not show is known to be gone. */
  readonly clientId?: string;
  /** What is wrong and where, never what the record says. */
  readonly why: string;
}

/**
 * What an IdP's directory says now. Throws SyncError: ERR_DIRECTORY_UNREACHABLE (network, timeout, 5xx),
 * ERR_DIRECTORY_DENIED (401, 403), ERR_DIRECTORY_RATE_LIMITED (429, with retryAfterMs), and IncompleteRead
 * (ERR_DIRECTORY_INCOMPLETE) for an answer that cannot be the whole truth: a page that fails, repeats or
 * overlaps, a body of the wrong shape, a truncated one. A read of one client whose record cannot be parsed throws
 * ClientUnreadable (ERR_CLIENT_UNREADABLE).
 */
export interface Directory {
  readonly provider: string;
  /** All clients, or an error. */
  readAll(signal: AbortSignal): Promise<DirectorySnapshot>;
  /**
   * One client; undefined only if a healthy IdP says that it does not exist. With `forOrder` it is asked although the
   * IdP limits the rate: adapters need not look at it.
   */
  read(
    by: ClientReference,
    value: string,
    signal: AbortSignal,
    forOrder?: boolean,
  ): Promise<OAuthClient | undefined>;
  /**
   * Subjects (`sub` of their tokens) of the enabled members of each of these groups or roles, complete, or an error as
   * for `readAll`; a group that does not exist has none. Absent where the IdP cannot tell.
   */
  readMembers?(groups: readonly string[], signal: AbortSignal): Promise<Members>;
  /** What the credentials may read and what they lack; never throws for a permission that is missing. */
  checkAccess?(signal: AbortSignal): Promise<readonly AccessCheck[]>;
  close(): Promise<void>;
}

export type { Members, UnreadablePeople } from '../model/members.js';

/** One permission at the IdP, under the exact name by which it is granted there. */
export interface AccessCheck {
  readonly permission: string;
  /** What scopemesh reads with it. */
  readonly neededFor: string;
  readonly isGranted: boolean;
  /** Without `groups:` in the mapping nothing is read with it. */
  readonly forGroupsOnly?: boolean;
  /** What goes unnoticed without it even if no `groups:` are mapped. */
  readonly withoutIt?: string;
}
