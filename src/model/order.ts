import type { Cause } from './cause.js';

/**
 * An authenticated, durable fact that only narrows access and has no state to re-read. `secret-compromised` quarantines
 * the client until its secret was rotated or a person releases it; `disabled` and `deleted` close the client while its
 * directory cannot be read.
 */
export interface RevocationOrder {
  readonly kind: 'client-disabled' | 'client-deleted' | 'secret-compromised' | 'session-revoked';
  readonly provider: string;
  readonly clientId?: string;
  /** The internal ID at the identity provider, if the event names no client ID. */
  readonly internalId?: string;
  /** The person whose session ended (`session-revoked`). With neither subject nor client, all sessions at the provider. */
  readonly subject?: string;
  /** The `sub` of the person's ID tokens, at a provider where it is not the subject. */
  readonly account?: string;
  /** ISO 8601. Everything issued before this instant is void. */
  readonly at: string;
  readonly cause: Cause;
  /** Why a person ordered it. */
  readonly reason?: string;
}

/** The clocks of identity providers, Consul and this machine differ, and some events have whole seconds. A valid login repeats. */
const CLOCKS_DIFFER_MS = 5_000;

/** Milliseconds since the epoch: what was issued until then is void. */
export function issuedUntil({ at }: Pick<RevocationOrder, 'at'>): number {
  return Date.parse(at) + CLOCKS_DIFFER_MS;
}
