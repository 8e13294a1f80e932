import type { Secret } from '../../model/secret.js';
import { verifyStaticSecret } from '../signature.js';
import type { EventSource, RawRequest } from '../source.js';
import { isSet, SET_TYPE } from '../with-signals.js';
import { type SetContext, toIdentityEvent } from './identity-event.js';
import { InvalidSet, UnprovenSet } from './refusal.js';
import { LONGEST_SET, type SetVerifier } from './set.js';

export interface PushSourceOptions extends SetContext {
  readonly verify: SetVerifier;
  /** What follows `Bearer ` in the transmitter's requests; several while one is rotated. Empty: it sends none. */
  readonly pushTokens: readonly Secret[];
  /** Whether events are to come by push at all. */
  readonly delivery: 'push' | 'poll';
  readonly signal: AbortSignal;
}

/**
 * Events by push (RFC 8935): one set to a request; 202 with no body once it is durable, else 400 with `err` and
 * `description`, and 413 for what is too long. While the transmitter's keys cannot be read, SyncError goes through, so
 * that the intake asks it to send again.
 */
export function createPushSource(options: PushSourceOptions): EventSource {
  const { provider, verify, pushTokens, delivery, signal } = options;
  return {
    provider,
    async receive(request) {
      if (request.body.byteLength > LONGEST_SET) {
        throw new InvalidSet('invalid_request', `a set is longer than ${LONGEST_SET} bytes`, 413);
      }
      if (!isSet(request.headers['content-type']))
        throw new InvalidSet('invalid_request', `the content is not of the type ${SET_TYPE}`);
      if (pushTokens.length > 0 && !verifyStaticSecret(pushTokens, bearerOf(request))) {
        throw new UnprovenSet('authentication_failed', 'the Authorization header is not the stream’s');
      }
      const set = await verify(Buffer.from(request.body).toString('latin1'), signal);
      if (delivery === 'poll') {
        throw new InvalidSet('access_denied', 'events of this transmitter are polled, and not to be pushed');
      }
      const { receivedAt } = request;
      return {
        kind: 'events',
        events: [toIdentityEvent(set, { kind: 'webhook', receivedAt }, options)],
        isSignal: true,
      };
    },
  };
}

// The scheme's name has no case (RFC 9110, section 11.1).
function bearerOf(request: RawRequest): string | undefined {
  return /^Bearer +(.*)$/i.exec(request.headers.authorization ?? '')?.[1];
}
