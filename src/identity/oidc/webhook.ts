import type { Clock } from '../../clock.js';
import { RejectedEvent, StaleEvent, SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { verifyHmacSha256 } from '../signature.js';
import type { EventSource, IdentityEvent, RawRequest } from '../source.js';
import { parseEvent } from './event.js';

export interface OidcSourceOptions {
  readonly provider: string;
  /** `whsec_<base64>`; several while one is rotated. */
  readonly secrets: readonly Secret[];
  /** How far `webhook-timestamp` may lie from now, either way; 300,000 by default. */
  readonly toleranceMs?: number;
  readonly clock: Clock;
}

/**
 * Signed events by Standard Webhooks 1.0 (standardwebhooks.com): `webhook-signature` is a space-separated list
 * of `v1,<base64 HMAC-SHA256 of "id.timestamp.body">`. Throws RejectedEvent: 401 ERR_SIGNATURE for what is not
 * proven, 413 for a body over 256 KiB, 400 ERR_EVENT_INVALID for authentic nonsense, and as StaleEvent for an
 * authentic event outside the tolerance. Replays within it carry the same event id, which the intake remembers.
 * Throws ERR_CONFIG at once for secrets that could never verify.
 */
export function createOidcSource(options: OidcSourceOptions): EventSource {
  const { provider, toleranceMs = 300_000, clock } = options;
  const keys = options.secrets.map((secret) => parseSecret(secret, provider));
  if (keys.length === 0) throw badSecret(provider, 'has no secret');

  return {
    provider,
    async receive(request) {
      if (request.body.byteLength > LONGEST_BODY) {
        throw new RejectedEvent('ERR_EVENT_INVALID', `event is longer than ${LONGEST_BODY} bytes`, 413);
      }
      // The signature comes before the time, so that "stale" is only ever said of an authentic event.
      const { id, timestampMs } = verify(request, keys);
      const skewMs = Math.abs(clock.now() - timestampMs);
      if (skewMs > toleranceMs) {
        const seconds = Math.round(skewMs / 1000);
        const message = `webhook-timestamp is ${seconds} s away from now, ${toleranceMs / 1000} s are tolerated`;
        throw new StaleEvent('ERR_EVENT_INVALID', message, 400);
      }
      const context = { provider, id, receivedAt: request.receivedAt, timestampMs, toleranceMs };
      const event: IdentityEvent = parseEvent(request.body, context);
      return { kind: 'events', events: [event] };
    },
  };
}

const LONGEST_BODY = 256 * 1024;
const MOST_SIGNATURES = 16;

function verify(request: RawRequest, keys: readonly Uint8Array[]): { id: string; timestampMs: number } {
  const id = request.headers['webhook-id'];
  const timestamp = request.headers['webhook-timestamp'];
  const signatures = request.headers['webhook-signature'];
  // A dot would let an id and a timestamp be divided elsewhere under the same signature.
  if (id === undefined || !/^[\x21-\x2d\x2f-\x7e]{1,255}$/.test(id)) {
    throw unproven('webhook-id is missing or malformed');
  }
  if (timestamp === undefined || !/^(0|[1-9]\d{0,11})$/.test(timestamp)) {
    throw unproven('webhook-timestamp is not a whole number of seconds');
  }
  if (signatures === undefined) throw unproven('webhook-signature is missing');
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`, 'latin1'), request.body]);
  const verified = signatures
    .split(' ', MOST_SIGNATURES)
    .filter((signature) => signature.startsWith('v1,') && isCanonical(signature.slice(3)))
    .some((signature) => verifyHmacSha256(keys, content, signature.slice(3), 'base64'));
  if (!verified) throw unproven('webhook-signature fits none of the secrets');
  return { id, timestampMs: Number(timestamp) * 1000 };
}

/** One signature has one spelling: the last digit's two spare bits must be zero. */
function isCanonical(base64: string): boolean {
  return Buffer.from(base64, 'base64').toString('base64') === base64;
}

function parseSecret(secret: Secret, provider: string): Uint8Array {
  const text = secret.reveal();
  const base64 = text.startsWith('whsec_') ? text.slice('whsec_'.length) : '';
  const key = Buffer.from(base64, 'base64');
  // Unpadded is fine; anything else that does not come back the same was cut or mistyped.
  if (key.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) {
    throw badSecret(provider, 'has a secret that is not base64 after whsec_');
  }
  if (key.byteLength < 24 || key.byteLength > 64) {
    throw badSecret(provider, 'has a secret that is not whsec_ and the base64 of 24 to 64 bytes');
  }
  return key;
}

function badSecret(provider: string, reason: string): SyncError {
  const remedy = `make one with: printf 'whsec_%s\\n' "$(openssl rand -base64 32)"`;
  const message = `provider ${provider}: webhook ${reason}; ${remedy}`;
  return new SyncError('ERR_CONFIG', message, { retriable: false });
}

function unproven(message: string): RejectedEvent {
  return new RejectedEvent('ERR_SIGNATURE', message, 401);
}
