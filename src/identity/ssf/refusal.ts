import { RejectedEvent } from '../../errors.js';

/** RFC 8935, section 2.4, and `invalid_state` of SSF 1.0, section 8.1.4.1. */
export type SetError =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'invalid_state'
  | 'authentication_failed'
  | 'access_denied';

/** What a transmitter is told, in a push (RFC 8935, section 2.3) and in `setErrs` of a poll (RFC 8936, section 2.4). */
export interface SetRefusal {
  readonly err: SetError;
  readonly description: string;
}

/** Nothing proves that the transmitter sent it. */
export class UnprovenSet extends RejectedEvent {
  readonly refusal: SetRefusal;

  constructor(err: SetError, description: string) {
    super('ERR_SIGNATURE', description, 400, { err, description });
    this.refusal = { err, description };
  }
}

/** The transmitter signed it, and yet it is not for us, or is no event. */
export class InvalidSet extends RejectedEvent {
  readonly refusal: SetRefusal;

  constructor(err: SetError, description: string, status: 400 | 413 = 400) {
    super('ERR_EVENT_INVALID', description, status, { err, description });
    this.refusal = { err, description };
  }
}

export type RefusedSet = UnprovenSet | InvalidSet;

export function isRefusedSet(error: unknown): error is RefusedSet {
  return error instanceof UnprovenSet || error instanceof InvalidSet;
}
