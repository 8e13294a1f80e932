import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../model/secret.js';

/**
 * Whether `signature` is the HMAC-SHA256 of `body` under one of `secrets` (several during a rotation). All secrets are
 * compared in constant time, so that the time reveals nothing. The key is the secret's text in UTF-8. For schemes that
 * encode keys (Standard Webhooks), pass `Uint8Array` keys. An empty secret never verifies, because anyone could sign with
 * it.
 */
export function verifyHmacSha256(
  secrets: readonly (Secret | Uint8Array)[],
  body: Uint8Array,
  signature: string | undefined,
  encoding: 'hex' | 'base64',
): boolean {
  const given = decode(signature, encoding);
  if (given === undefined) return false;
  let verified = false;
  for (const secret of secrets) {
    const key = secret instanceof Uint8Array ? secret : Buffer.from(secret.reveal(), 'utf8');
    const expected = createHmac('sha256', key).update(body).digest();
    const equal = timingSafeEqual(expected, given);
    if (equal && key.byteLength > 0) verified = true;
  }
  return verified;
}

/**
 * Whether `given` is one of `secrets`, for schemes whose proof is a constant header. Digests are compared, so that the time
 * reveals neither content nor length. An empty secret never verifies.
 */
export function verifyStaticSecret(secrets: readonly Secret[], given: string | undefined): boolean {
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest();
  const givenDigest = digest(given ?? '');
  let verified = false;
  for (const secret of secrets) {
    const text = secret.reveal();
    const equal = timingSafeEqual(digest(text), givenDigest);
    if (equal && given !== undefined && text !== '') verified = true;
  }
  return verified;
}

// Buffer.from skips what it cannot decode, so the form is checked first: exactly 32 bytes, in canonical spelling.
const FORM = { hex: /^[0-9a-f]{64}$/i, base64: /^[A-Za-z0-9+/]{43}=$/ } as const;

function decode(signature: string | undefined, encoding: 'hex' | 'base64'): Uint8Array | undefined {
  if (signature === undefined || !FORM[encoding].test(signature)) return undefined;
  const bytes = Buffer.from(signature, encoding);
  return bytes.byteLength === 32 ? bytes : undefined;
}
