import { RejectedEvent } from '../../errors.js';

/** RFC 8935, section 2.4, and `invalid_state` of SSF 1.0, section 8.1.4.1. */
type SetError =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'invalid_state'
  | 'authentication_failed'
  | 'access_denied';

/** The answer to a transmitter: of a push (RFC 8935, section 2.3), or in `setErrs` of a poll (RFC 8936, section 2.4). */
interface SetRefusal {
  readonly err: SetError;
  readonly description: string;
}

export abstract class RefusedSet extends RejectedEvent {
  readonly refusal: SetRefusal;

  constructor(code: 'ERR_SIGNATURE' | 'ERR_EVENT_INVALID', status: 400 | 413, refusal: SetRefusal) {
    super(code, refusal.description, status, refusal);
    this.refusal = refusal;
  }
}

/** Nothing proves that the transmitter sent the set. */
export class UnprovenSet extends RefusedSet {
  constructor(err: SetError, description: string) {
    super('ERR_SIGNATURE', 400, { err, description });
  }
}

/** The transmitter signed the set, but it is not for this receiver, or is no event. */
export class InvalidSet extends RefusedSet {
  constructor(err: SetError, description: string, status: 400 | 413 = 400) {
    super('ERR_EVENT_INVALID', status, { err, description });
  }
}
