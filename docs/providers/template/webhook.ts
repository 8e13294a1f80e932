import type { Clock } from '../../../src/clock.js';
import { StaleEvent } from '../../../src/errors.js';
import { invalidEvent, parseEventBody, unprovenEvent } from '../../../src/identity/event-body.js';
import { verifyHmacSha256 } from '../../../src/identity/signature.js';
import type { EventSource } from '../../../src/identity/source.js';
import { createWebhook } from '../../../src/identity/webhook.js';
import type { Secret } from '../../../src/model/secret.js';
import { EVENT, type TemplateEvent, toIdentityEvent } from './event.js';

export interface TemplateSourceOptions {
  readonly provider: string;
  readonly secrets: readonly Secret[];
  readonly clock: Clock;
}

const TOLERANCE_MS = 300_000;
/** `example-signature: t=<seconds>,v1=<hex of the HMAC-SHA256 of "t.body">` */
const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

/**
 * `POST /events/<provider>`. Nothing in a request is trusted until its signature is verified over the raw bytes, so nothing
 * is parsed before. If the identity provider sends a challenge that must be answered, add a `handshake`.
 */
export function createTemplateSource(options: TemplateSourceOptions): EventSource {
  const { provider, secrets, clock } = options;
  return createWebhook({
    provider,
    maxBytes: 256 * 1024,
    verify({ headers, body }) {
      const [, seconds, signature] = SIGNATURE.exec(headers['example-signature'] ?? '') ?? [];
      const signed = Buffer.concat([Buffer.from(`${seconds}.`, 'latin1'), body]);
      // Every secret is compared in constant time: src/identity/signature.ts.
      if (seconds === undefined || !verifyHmacSha256(secrets, signed, signature, 'hex'))
        throw unprovenEvent('example-signature matches none of the secrets');
      return Number(seconds) * 1000;
    },
    receive({ body, receivedAt }, signedAtMs) {
      // Checked after the signature, so that only authentic events count as stale.
      if (Math.abs(clock.now() - signedAtMs) > TOLERANCE_MS)
        throw new StaleEvent('ERR_EVENT_INVALID', 'example-signature is too old, or from the future', 400);
      return { events: [toIdentityEvent(parse(body), { provider, kind: 'webhook', receivedAt })] };
    },
  });
}

function parse(body: Uint8Array): TemplateEvent {
  const event = EVENT.safeParse(parseEventBody(body));
  if (!event.success) throw invalidEvent('the event does not have the documented form');
  return event.data;
}
