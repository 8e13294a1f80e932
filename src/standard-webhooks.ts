import { createHmac } from 'node:crypto';
import type { Secret } from './model/secret.js';

/** The headers by which a receiver knows the sender of a webhook (standardwebhooks.com, version 1.0). */
interface WebhookHeaders {
  readonly 'webhook-id': string;
  /** Seconds since the epoch. */
  readonly 'webhook-timestamp': string;
  /** One `v1,<base64>` for each key, separated by spaces. */
  readonly 'webhook-signature': string;
}

/** How to make a secret. */
export const WEBHOOK_SECRET_REMEDY = `create one with: printf 'whsec_%s\\n' "$(openssl rand -base64 32)"`;

const PREFIX = 'whsec_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** Signs with every key, so that a receiver may have the old or the new one during a rotation. */
export function signWebhook(
  keys: readonly Uint8Array[],
  id: string,
  timestampMs: number,
  body: string | Uint8Array,
): WebhookHeaders {
  const timestamp = String(Math.floor(timestampMs / 1000));
  const content = signedContent(id, timestamp, Buffer.from(body));
  const signatures = keys.map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

/** What a signature covers. */
export function signedContent(id: string, timestamp: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`, 'latin1'), body]);
}

/** The key of a secret, or what is wrong with it; the fault never quotes the secret. */
export function parseWebhookSecret(
  secret: Secret,
): { readonly key: Uint8Array } | { readonly fault: string } {
  const text = secret.reveal();
  const base64 = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
  const key = Buffer.from(base64, 'base64');
  // Missing padding is accepted. Any other difference means that the secret was truncated or mistyped.
  if (key.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, ''))
    return { fault: `is not base64 after ${PREFIX}` };
  if (key.byteLength < MIN_BYTES || key.byteLength > MAX_BYTES)
    return { fault: `is not ${PREFIX} and the base64 of ${MIN_BYTES} to ${MAX_BYTES} bytes` };
  return { key };
}
