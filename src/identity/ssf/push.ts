import { verifyStaticSecret } from '../signature.js';
import type { EventSource, RawRequest } from '../source.js';
import { isSet, SET_TYPE } from '../with-signals.js';
import { type SetContext, toIdentityEvent } from './identity-event.js';
import type { SsfOptions } from './options.js';
import { InvalidSet, UnprovenSet } from './refusal.js';
import { MAX_SET_BYTES, type SetVerifier } from './set.js';

interface PushSourceOptions extends SetContext, Pick<SsfOptions, 'pushTokens' | 'delivery'> {
  readonly verify: SetVerifier;
  readonly signal: AbortSignal;
}

/**
 * Events by push (RFC 8935), one set per request. The answer is 202 without a body once the event is durable, 400 with `err`
 * and `description`, or 413 if the set is too long. If the transmitter's keys cannot be read, the SyncError goes through, so
 * that the intake asks the transmitter to send the set again.
 */
export function createPushSource(options: PushSourceOptions): EventSource {
  const { provider, verify, pushTokens, delivery, signal } = options;
  return {
    provider,
    async receive(request) {
      if (request.body.byteLength > MAX_SET_BYTES)
        throw new InvalidSet('invalid_request', `a set is longer than ${MAX_SET_BYTES} bytes`, 413);
      if (!isSet(request.headers['content-type']))
        throw new InvalidSet('invalid_request', `the content type is not ${SET_TYPE}`);
      if (pushTokens.length > 0 && !verifyStaticSecret(pushTokens, bearerOf(request)))
        throw new UnprovenSet('authentication_failed', 'the Authorization header is not valid');
      const set = await verify(Buffer.from(request.body).toString('latin1'), signal);
      if (delivery === 'poll')
        throw new InvalidSet('access_denied', 'events of this stream are polled and must not be pushed');
      const { receivedAt } = request;
      const event = toIdentityEvent(set, { kind: 'webhook', receivedAt }, options);
      return { kind: 'events', events: [event], isSignal: true };
    },
  };
}

// The name of the scheme is case-insensitive (RFC 9110, section 11.1).
function bearerOf(request: RawRequest): string | undefined {
  return /^Bearer +(.*)$/i.exec(request.headers.authorization ?? '')?.[1];
}
