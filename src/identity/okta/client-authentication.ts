import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import { type ClientAuth, modifyAssertion, PrivateKeyJwt } from 'openid-client';
import { configError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';

export interface OktaPrivateKey {
  /** PKCS #8 in PEM, or a JWK in JSON. */
  readonly privateKey: Secret;
  /** `kid` of the public key at Okta. A JWK may have its own. */
  readonly keyId?: string;
}

/**
 * `private_key_jwt` with the token endpoint as audience, as Okta requires
 * (developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp). Throws ERR_CONFIG for an invalid key.
 */
export function authenticateByKey(options: OktaPrivateKey, org: URL): ClientAuth {
  const { key, kid, algorithm } = parseKey(options);
  const audience = new URL('/oauth2/v1/token', org).href;
  const prepare = async (): Promise<ClientAuth> => {
    const der = key.export({ type: 'pkcs8', format: 'der' });
    const signing = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
    return PrivateKeyJwt(kid === undefined ? signing : { key: signing, kid }, {
      [modifyAssertion]: (_header, payload) => {
        payload.aud = audience;
      },
    });
  };
  let prepared: Promise<ClientAuth> | undefined;
  // The library awaits the returned promise, although its type does not say so.
  return async (...request): Promise<void> => {
    prepared ??= prepare();
    const authenticate = await prepared;
    await authenticate(...request);
  };
}

function parseKey({ privateKey, keyId }: OktaPrivateKey) {
  const text = privateKey.reveal().trim();
  try {
    if (!text.startsWith('{')) {
      const key = createPrivateKey(text);
      return { key, kid: keyId, algorithm: algorithmOf(key) };
    }
    const jwk = JSON.parse(text);
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    const own = typeof jwk.kid === 'string' && jwk.kid !== '' ? jwk.kid : undefined;
    return { key, kid: keyId ?? own, algorithm: algorithmOf(key) };
  } catch {
    // A parser may quote the text that it could not parse, and that is a key.
    throw configError('privateKey must be an RSA or EC private key in PEM (PKCS #8) or as a JWK');
  }
}

const CURVES: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

function algorithmOf(key: KeyObject): webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const namedCurve = CURVES.get(key.asymmetricKeyDetails?.namedCurve);
  if (namedCurve === undefined) throw new Error('Okta does not accept this kind of key');
  return { name: 'ECDSA', namedCurve };
}
