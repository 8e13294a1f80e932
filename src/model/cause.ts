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
