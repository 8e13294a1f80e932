import type { Key } from './key.js';

export type CauseKind =
  | 'webhook'
  | 'poll'
  | 'full-read'
  | 'consul-watch'
  | 'resync'
  | 'fan-out'
  | 'order'
  | 'command'
  | 'config'
  | 'retry';

/** Who caused an IdP change, as far as the IdP tells. */
export interface Principal {
  readonly id: string;
  readonly ip?: string;
}

/** Why a key was looked at; travels into the decision. */
export interface Cause {
  readonly kind: CauseKind;
  readonly eventId?: string;
  /** ISO 8601 instant at which scopemesh first saw the event. */
  readonly receivedAt: string;
  readonly principal?: Principal;
}

/**
 * What the IdP itself said of a removal, carried with the trigger so that it is as durable as the job: a
 * removal with evidence is explicit and passes the mass guard, one without is inferred from a read.
 * `clients` are client ids of `provider`; `scopes` are scope names lost for every client.
 */
export interface Evidence {
  readonly provider: string;
  readonly clients?: readonly string[];
  readonly scopes?: readonly string[];
}

/**
 * A hint that a key may have changed. `urgent` puts it before ordinary work (it may be a revocation);
 * `fullRead` on a provider key asks for the complete comparison with the directory.
 */
export interface Trigger {
  readonly key: Key;
  readonly cause: Cause;
  readonly urgent?: boolean;
  readonly fullRead?: boolean;
  readonly evidence?: readonly Evidence[];
}

/** The queued unit of work for a key: every trigger that came since its last run, oldest first. */
export interface Job {
  readonly key: Key;
  readonly triggers: readonly Trigger[];
  /** Failed runs of this key since its last success; 0 at first. */
  readonly attempts: number;
}
