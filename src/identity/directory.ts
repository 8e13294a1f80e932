import type { OAuthClient } from '../model/client.js';
import type { ClientReference } from '../model/key.js';

/** A complete read; there is no partial one. */
export interface DirectorySnapshot {
  readonly clients: readonly OAuthClient[];
  /** Requests that the read cost, since large tenants have limits. */
  readonly requests: number;
}

/**
 * What an IdP's directory says now. Throws SyncError: ERR_DIRECTORY_UNREACHABLE (network, timeout, 5xx),
 * ERR_DIRECTORY_DENIED (401, 403), ERR_DIRECTORY_RATE_LIMITED (429, with retryAfterMs), and IncompleteRead
 * (ERR_DIRECTORY_INCOMPLETE) for an answer that cannot be the whole truth: a page that fails, repeats or
 * overlaps, a body of the wrong shape, a truncated one.
 */
export interface Directory {
  readonly provider: string;
  /** All clients, or an error. */
  readAll(signal: AbortSignal): Promise<DirectorySnapshot>;
  /** One client; undefined only if a healthy IdP says that it does not exist. */
  read(by: ClientReference, value: string, signal: AbortSignal): Promise<OAuthClient | undefined>;
  close(): Promise<void>;
}
