import type { Cause } from './cause.js';

/**
 * An authenticated, durable fact that only narrows and that has no state to re-read. `secret-compromised`
 * quarantines the client until its secret is seen rotated or a person releases it; `disabled` and `deleted`
 * close the client while its directory cannot be read.
 */
export interface RevocationOrder {
  readonly kind: 'client-disabled' | 'client-deleted' | 'secret-compromised' | 'session-revoked';
  readonly provider: string;
  readonly clientId?: string;
  /** The internal id at the IdP, where the event names no client id. */
  readonly internalId?: string;
  /** Whose session ended (`session-revoked`); everybody's at the provider where no client is named either. */
  readonly subject?: string;
  /** ISO 8601: what was issued before this instant is void. */
  readonly at: string;
  readonly cause: Cause;
}
