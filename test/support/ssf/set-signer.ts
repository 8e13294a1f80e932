import { createHmac, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { takeRsaPair } from '../rsa-keys.js';

/** A key that signs compact JWS (RFC 7515) by the letter of the specifications, with no library that scopemesh uses. */
export interface SetSigner {
  readonly kid: string;
  /** As a key set has it. */
  readonly jwk: JsonWebKey & { readonly kid: string };
  /** The public key in PEM. */
  readonly pem: string;
  /** `payload` is bytes, or claims; `header` replaces and adds members, undefined takes one out. */
  sign(payload: Uint8Array | object, header?: Readonly<Record<string, unknown>>): string;
}

export function createSigner(kid: string, alg: 'ES256' | 'RS256' | 'PS256' = 'ES256'): SetSigner {
  const { privateKey, publicKey } =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : takeRsaPair();
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return {
    kid,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    pem,
    sign(payload, header = {}) {
      const text = unsigned(payload, { alg, typ: 'secevent+jwt', kid, ...header });
      return `${text}.${signatureOf(text, privateKey, alg)}`;
    },
  };
}

/** A JWS under an HMAC whose secret is this text. */
export function signByHmac(
  payload: object,
  secret: string,
  header: Readonly<Record<string, unknown>>,
): string {
  const text = unsigned(payload, { typ: 'secevent+jwt', ...header, alg: 'HS256' });
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** A JWS without a signature (RFC 7518, section 3.6). */
export function unsecured(payload: object): string {
  return `${unsigned(payload, { typ: 'secevent+jwt', alg: 'none' })}.`;
}

function unsigned(payload: Uint8Array | object, header: object): string {
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
  const encode = (part: Uint8Array) => Buffer.from(part).toString('base64url');
  return `${encode(Buffer.from(JSON.stringify(header)))}.${encode(bytes)}`;
}

function signatureOf(text: string, key: KeyObject, alg: string): string {
  const options =
    alg === 'ES256'
      ? { key, dsaEncoding: 'ieee-p1363' as const }
      : alg === 'PS256'
        ? { key, padding: 6, saltLength: 32 }
        : { key };
  return sign('sha256', Buffer.from(text), options).toString('base64url');
}
