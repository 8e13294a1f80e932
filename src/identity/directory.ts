import type { OAuthClient } from '../model/client.js';
import type { ClientReference } from '../model/key.js';
import type { Members } from '../model/members.js';
import type { ReadProof } from '../model/trigger.js';

/** A complete read. There is no partial one. */
export interface DirectorySnapshot {
  readonly clients: readonly OAuthClient[];
  /** Client records that cannot be parsed. Nothing is known about these clients, and `clients` does not contain them. */
  readonly unreadable: readonly UnreadableClient[];
  /** Why a grant cannot be parsed that does not name its client. Any client may hold it, so any may look as if it lost one. */
  readonly unownedGrant?: string;
  /** Requests that the read cost, because large tenants have limits. Concurrent requests may be counted too. */
  readonly requests: number;
}

/** A record of a client that cannot be parsed. */
export interface UnreadableClient {
  /** Absent if the record does not name its client. Then no client that is missing from the read is known to be gone. */
  readonly clientId?: string;
  /** What is wrong and where. It never quotes the record. */
  readonly why: string;
}

/**
 * What an identity provider's directory says now. Throws SyncError: ERR_DIRECTORY_UNREACHABLE (network, timeout, 5xx),
 * ERR_DIRECTORY_DENIED (401, 403), ERR_DIRECTORY_RATE_LIMITED (429, with retryAfterMs), and IncompleteRead
 * (ERR_DIRECTORY_INCOMPLETE) for an answer that cannot be complete: a page that fails, repeats or overlaps, a body of
 * the wrong shape, a truncated body. A read of one client whose record cannot be parsed throws ClientUnreadable
 * (ERR_CLIENT_UNREADABLE).
 */
export interface Directory {
  readonly provider: string;
  /**
   * All clients, or an error. A read that is not urgent leaves more of the identity provider's rate limit to others;
   * adapters ignore it.
   */
  readAll(signal: AbortSignal, isUrgent?: boolean): Promise<DirectorySnapshot>;
  /**
   * One client. Undefined only if a healthy identity provider says that it does not exist. Adapters may ignore `proof`.
   */
  read(
    by: ClientReference,
    value: string,
    signal: AbortSignal,
    proof?: ReadProof,
  ): Promise<OAuthClient | undefined>;
  /**
   * The subjects (`sub` in tokens) of the enabled members of each group or role: complete, or an error as for `readAll`. A
   * group that does not exist has no members. Absent if the identity provider cannot say. `admitted`: people who have
   * access by each group now. If a list lacks some of them, the adapter asks the identity provider for a few of them one by
   * one. Those who may still be members are `unlisted`.
   */
  readMembers?(groups: readonly string[], signal: AbortSignal, admitted?: Members): Promise<Members>;
  /** What the credentials may read and what they may not. Never throws because of a missing permission. */
  checkAccess?(signal: AbortSignal): Promise<readonly AccessCheck[]>;
  close(): Promise<void>;
}

/** One permission at the identity provider, by the exact name under which it is granted there. */
export interface AccessCheck {
  readonly permission: string;
  /** What scopemesh reads with it. */
  readonly neededFor: string;
  readonly isGranted: boolean;
  /** Of what somebody switches on at the identity provider, instead of granting it: how. */
  readonly remedy?: string;
  /** Only `groups:` in the mapping need it. */
  readonly forGroupsOnly?: boolean;
  /** What goes unnoticed without it even if no `groups:` are mapped. */
  readonly withoutIt?: string;
}
