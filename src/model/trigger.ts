import type { Cause } from './cause.js';
import type { Key } from './key.js';
import type { RevocationOrder } from './order.js';

export type { Cause, CauseKind, Principal } from './cause.js';

/**
 * What the IdP itself said of a removal, carried with the trigger so that it is as durable as the job: a
 * removal with evidence is explicit and passes the mass guard, one without is inferred from a read.
 * `clients` are client ids of `provider`; `scopes` are scope names lost for every client. `internalIds` are the
 * IdP's own ids of clients, where the event told no client id: whoever resolves one to a client id by a read
 * takes that client as named. `people` are subjects whose memberships or accounts were changed, `groups` are groups or
 * roles, by the names of the mapping, whose members were.
 */
export interface Evidence {
  readonly provider: string;
  readonly clients?: readonly string[];
  readonly internalIds?: readonly string[];
  readonly scopes?: readonly string[];
  /** Whose `scopes` they are; absent where scopes belong to no API. */
  readonly api?: string;
  readonly people?: readonly string[];
  readonly groups?: readonly string[];
}

/**
 * A hint that a key may have changed. `urgent` puts it before ordinary work (it may be a revocation);
 * `fullRead` on a provider key asks for the complete comparison with the directory, `members` only for who belongs to
 * the mapped groups, which a complete comparison asks for too.
 */
export interface Trigger {
  readonly key: Key;
  readonly cause: Cause;
  readonly urgent?: boolean;
  readonly fullRead?: boolean;
  readonly members?: boolean;
  /** Looks again after an event, for a directory may have answered with old state: nothing to do unless it finds a change. */
  readonly isRecheck?: boolean;
  readonly evidence?: readonly Evidence[];
  /** The client whose job sent it here: the cause of that client's changes. */
  readonly client?: { readonly provider: string; readonly clientId: string };
  /** The revocation order that came with it, so that it lives as long as the job. */
  readonly order?: RevocationOrder;
}

/** The queued unit of work for a key: every trigger that came since its last run, oldest first. */
export interface Job {
  readonly key: Key;
  readonly triggers: readonly Trigger[];
  /** Failed runs of this key since its last success; 0 at first. */
  readonly attempts: number;
}
