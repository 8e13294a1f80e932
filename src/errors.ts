/** Stable codes; each is documented where it is thrown. */
export type ErrorCode =
  | 'ERR_CONFIG'
  | 'ERR_CONSUL_UNREACHABLE'
  | 'ERR_CONSUL_DENIED'
  | 'ERR_CONSUL_REJECTED'
  | 'ERR_CONSUL_CONFLICT'
  | 'ERR_CONSUL_INCOMPLETE'
  | 'ERR_DIRECTORY_UNREACHABLE'
  | 'ERR_DIRECTORY_DENIED'
  | 'ERR_DIRECTORY_INCOMPLETE'
  | 'ERR_DIRECTORY_RATE_LIMITED'
  | 'ERR_CLIENT_UNREADABLE'
  | 'ERR_SIGNATURE'
  | 'ERR_EVENT_INVALID'
  | 'ERR_QUEUE_UNREACHABLE'
  | 'ERR_QUEUE_UNSAFE'
  | 'ERR_DECISIONS_UNREACHABLE'
  | 'ERR_STATE_LOCKED'
  | 'ERR_STATE_DAMAGED'
  | 'ERR_LEASE_LOST'
  | 'ERR_LEASE_HELD'
  | 'ERR_TIMEOUT'
  | 'ERR_BUSY'
  | 'ERR_INTERNAL';

/**
 * The error class of scopemesh. `retriable`: the same call may succeed later without a change by a person. Messages name
 * the place and the remedy and contain no secret.
 */
export class SyncError extends Error {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  /** When the other side said how long to wait. */
  readonly retryAfterMs?: number;

  constructor(
    code: ErrorCode,
    message: string,
    options: { retriable: boolean; cause?: unknown; retryAfterMs?: number },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retriable = options.retriable;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

/** Consul has too much to do, or is away: it answered 429 or 503, not in time, or not at all. */
export function isOverload(error: unknown): error is SyncError {
  return (
    error instanceof SyncError && (error.code === 'ERR_CONSUL_UNREACHABLE' || error.code === 'ERR_TIMEOUT')
  );
}

/** A stop ended a read of an identity provider, which says nothing of the provider, or the wait of a write for its place. */
export class Stopped extends Error {}

/** The configuration or a command cannot be carried out as it is: the message says what to change. */
export function configError(message: string, cause?: unknown): SyncError {
  return new SyncError('ERR_CONFIG', message, { retriable: false, cause });
}

/** An event, or what is made of events, is not what scopemesh wrote. */
export function invalidEvent(message: string): SyncError {
  return new SyncError('ERR_EVENT_INVALID', message, { retriable: false });
}

/** The epoch of a term is over. */
export function leaseLost(): SyncError {
  return new SyncError('ERR_LEASE_LOST', 'another replica leads now: this replica may write nothing more', {
    retriable: true,
  });
}

/** A read that returned only a part. Nothing may be deleted because of it. */
export class IncompleteRead extends SyncError {}

/** The discovery document of an issuer redirects. Consul would follow it, and nobody checks where it gets keys then. */
export class IssuerRedirects extends SyncError {}

/** The identity provider keeps no log of changes, so that only complete reads find them. */
export class NoLog extends IncompleteRead {}

/**
 * The record of one client cannot be parsed. The client keeps its access and gains none until the record is corrected.
 * All other clients are handled as usual.
 */
export class ClientUnreadable extends SyncError {
  /** Absent if the record names no client. */
  readonly clientId?: string;
  readonly why: string;

  constructor(place: string, clientId: string | undefined, why: string) {
    const whose = clientId === undefined ? 'a client without a readable id' : `client ${quoteId(clientId)}`;
    const remedy =
      'correct its record at the identity provider; until then it keeps its access and gains none';
    super('ERR_CLIENT_UNREADABLE', `${place}: ${whose} cannot be read: ${why}; ${remedy}`, {
      retriable: false,
    });
    this.why = why;
    if (clientId !== undefined) this.clientId = clientId;
  }
}

function quoteId(clientId: string): string {
  return JSON.stringify(clientId.length > 80 ? `${clientId.slice(0, 80)}…` : clientId);
}

/** The other side rejects our credentials, as opposed to granting them too few permissions. */
export class RefusedCredentials extends SyncError {}

/**
 * A forged, malformed, stale or oversized event, which is refused and recorded. `status` is the HTTP status of the answer
 * and `answer` its JSON body, if the sender's protocol requires one.
 */
export class RejectedEvent extends SyncError {
  readonly status: 400 | 401 | 413;
  readonly answer: object;

  constructor(
    code: 'ERR_SIGNATURE' | 'ERR_EVENT_INVALID',
    message: string,
    status: 400 | 401 | 413,
    answer: object = { error: message },
  ) {
    super(code, message, { retriable: false });
    this.status = status;
    this.answer = answer;
  }
}

/** An authentic event whose time is outside the tolerance: a replay, a long delay, or a wrong clock. */
export class StaleEvent extends RejectedEvent {}

/** The text of an unknown error, for logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of an error of a library. Its message may quote what another machine sent, or a secret in an address. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
