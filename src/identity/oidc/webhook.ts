import type { Clock } from '../../clock.js';
import { configError, StaleEvent, type SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { parseWebhookSecret, signedContent, WEBHOOK_SECRET_REMEDY } from '../../standard-webhooks.js';
import { unprovenEvent } from '../event-body.js';
import { verifyHmacSha256 } from '../signature.js';
import type { EventSource, RawRequest } from '../source.js';
import { createWebhook, type SourceOptions } from '../webhook.js';
import { parseEvent, TOLERANCE_MS } from './event.js';

const MAX_BYTES = 256 * 1024;
const MAX_SIGNATURES = 16;

/**
 * Signed events by Standard Webhooks 1.0 (standardwebhooks.com): `webhook-signature` is a space-separated list of
 * `v1,<base64 HMAC-SHA256 of "id.timestamp.body">`. Throws RejectedEvent: 401 ERR_SIGNATURE without proof, 413 for a body
 * over 256 KiB, 400 ERR_EVENT_INVALID for an authentic but invalid event, and StaleEvent for an authentic event outside the
 * tolerance. A replay within the tolerance has the same event ID, which the intake remembers. Throws ERR_CONFIG at once for
 * a secret that cannot be valid: it has the form `whsec_<base64>`.
 */
export function createOidcSource(options: SourceOptions & { readonly clock: Clock }): EventSource {
  const { provider, clock } = options;
  const keys = () => options.secrets.map((secret) => parseSecret(secret, provider));
  if (keys().length === 0) throw badSecret(provider, 'has no secret');

  return createWebhook({
    provider,
    maxBytes: MAX_BYTES,
    verify: (request) => verify(request, keys()),
    receive({ body, receivedAt }, { id, timestampMs }) {
      // Checked after the signature, so that only authentic events count as stale.
      const skewMs = Math.abs(clock.now() - timestampMs);
      if (skewMs > TOLERANCE_MS) {
        const seconds = Math.round(skewMs / 1000);
        const message = `webhook-timestamp differs from the time here by ${seconds} s; at most ${TOLERANCE_MS / 1000} s are allowed`;
        throw new StaleEvent('ERR_EVENT_INVALID', message, 400);
      }
      return { events: [parseEvent(body, { provider, id, receivedAt, timestampMs })] };
    },
  });
}

function verify(request: RawRequest, keys: readonly Uint8Array[]): { id: string; timestampMs: number } {
  const id = request.headers['webhook-id'];
  const timestamp = request.headers['webhook-timestamp'];
  const signatures = request.headers['webhook-signature'];
  // With a dot, the same signature would fit another division into ID and timestamp.
  if (id === undefined || !/^[\x21-\x2d\x2f-\x7e]{1,255}$/.test(id)) {
    throw unprovenEvent('webhook-id is missing or malformed');
  }
  if (timestamp === undefined || !/^(0|[1-9]\d{0,11})$/.test(timestamp)) {
    throw unprovenEvent('webhook-timestamp is not a whole number of seconds');
  }
  if (signatures === undefined) throw unprovenEvent('webhook-signature is missing');
  const content = signedContent(id, timestamp, request.body);
  const verified = signatures
    .split(' ', MAX_SIGNATURES)
    .filter((signature) => signature.startsWith('v1,') && isCanonical(signature.slice(3)))
    .some((signature) => verifyHmacSha256(keys, content, signature.slice(3), 'base64'));
  if (!verified) throw unprovenEvent('webhook-signature matches none of the secrets');
  return { id, timestampMs: Number(timestamp) * 1000 };
}

/** One signature has one spelling: the two spare bits of the last digit must be zero. */
function isCanonical(base64: string): boolean {
  return Buffer.from(base64, 'base64').toString('base64') === base64;
}

function parseSecret(secret: Secret, provider: string): Uint8Array {
  const parsed = parseWebhookSecret(secret);
  if ('fault' in parsed) throw badSecret(provider, `has a secret that ${parsed.fault}`);
  return parsed.key;
}

function badSecret(provider: string, reason: string): SyncError {
  return configError(`provider ${provider}: webhook ${reason}; ${WEBHOOK_SECRET_REMEDY}`);
}
