import type { Clock } from '../../../src/clock.js';
import { RejectedEvent, StaleEvent } from '../../../src/errors.js';
import { invalidEvent, parseEventBody } from '../../../src/identity/event-body.js';
import { verifyHmacSha256 } from '../../../src/identity/signature.js';
import type { EventSource } from '../../../src/identity/source.js';
import type { Secret } from '../../../src/model/secret.js';
import { EVENT, type TemplateEvent, toIdentityEvent } from './event.js';

export interface TemplateSourceOptions {
  readonly provider: string;
  readonly secrets: readonly Secret[];
  readonly clock: Clock;
}

const LONGEST_BODY = 256 * 1024;
const TOLERANCE_MS = 300_000;
/** `example-signature: t=<seconds>,v1=<hex of the HMAC-SHA256 of "t.body">` */
const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

/**
 * `POST /events/<provider>`. Everything in a request is a stranger's until its signature is checked, over the bytes as
 * they came: nothing is parsed before. Handshakes (a challenge to answer) are a Reception of the kind `reply`.
 */
export function createTemplateSource(options: TemplateSourceOptions): EventSource {
  const { provider, secrets, clock } = options;
  return {
    provider,
    async receive({ headers, body, receivedAt }) {
      if (body.byteLength > LONGEST_BODY)
        throw new RejectedEvent('ERR_EVENT_INVALID', `event is longer than ${LONGEST_BODY} bytes`, 413);
      const [, seconds, signature] = SIGNATURE.exec(headers['example-signature'] ?? '') ?? [];
      const signed = Buffer.concat([Buffer.from(`${seconds}.`, 'latin1'), body]);
      // In constant time, with every secret: src/identity/signature.ts.
      if (seconds === undefined || !verifyHmacSha256(secrets, signed, signature, 'hex'))
        throw new RejectedEvent('ERR_SIGNATURE', 'example-signature fits none of the secrets', 401);
      // The signature comes first, so that "stale" is said of authentic events alone.
      if (Math.abs(clock.now() - Number(seconds) * 1000) > TOLERANCE_MS)
        throw new StaleEvent('ERR_EVENT_INVALID', 'example-signature is too old, or ahead', 400);
      return {
        kind: 'events',
        events: [toIdentityEvent(parse(body), { provider, kind: 'webhook', receivedAt })],
      };
    },
  };
}

function parse(body: Uint8Array): TemplateEvent {
  const event = EVENT.safeParse(parseEventBody(body));
  if (!event.success) throw invalidEvent('the event is not what the IdP documents');
  return event.data;
}
