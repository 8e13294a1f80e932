export const CAUSE_KINDS = [
  'webhook',
  'poll',
  'full-read',
  'consul-watch',
  'resync',
  'fan-out',
  'order',
  'command',
  'config',
  'retry',
  'takeover',
] as const;
export type CauseKind = (typeof CAUSE_KINDS)[number];

/** Who caused an identity provider change, if the identity provider reports it. */
export interface Principal {
  readonly id: string;
  readonly ip?: string;
}

/** The user of the operating system who runs a command where the store is. */
export function systemUser(name: string): Principal {
  return { id: `os:${name}` };
}

/** Who holds a token of `http.tokens`. */
export function tokenHolder(name: string): Principal {
  return { id: `token:${name}` };
}

/** Why a key was processed. The decision contains it. */
export interface Cause {
  readonly kind: CauseKind;
  readonly eventId?: string;
  /** ISO 8601 instant at which scopemesh first saw the event. */
  readonly receivedAt: string;
  readonly principal?: Principal;
  /** The trace of the request that delivered the event (W3C Trace Context, version 00). */
  readonly traceparent?: string;
}

/** Why a person acts: one line, which decisions and holds repeat. */
export const PERSONS_REASON = /^\P{Cc}{1,500}$/u;
