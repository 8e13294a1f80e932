import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { importPKCS8 } from 'jose';
import { type ClientAuth, ClientSecretPost, modifyAssertion, PrivateKeyJwt } from 'openid-client';
import type { Secret } from '../../model/secret.js';

/** What proves scopemesh to the login endpoint; exactly one. */
export type EntraCredential =
  | { readonly kind: 'secret'; readonly clientSecret: Secret }
  /** PEM files. */
  | { readonly kind: 'certificate'; readonly certFile: string; readonly keyFile: string }
  /** A file with a JWT of another issuer that the app registration trusts, replaced by whoever issues it. */
  | { readonly kind: 'federated'; readonly assertionFile: string };

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Files are read anew for each token, so that what rotates them needs no restart. An assertion of a certificate is
 * signed with PS256 and names the certificate by `x5t#S256`
 * (https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
 */
export function toClientAuth(credential: EntraCredential): ClientAuth {
  switch (credential.kind) {
    case 'secret':
      return ClientSecretPost(credential.clientSecret.reveal());
    case 'certificate':
      // The library awaits what a client authentication returns, which its type does not say.
      return async (server, client, body, headers) => {
        const { certFile, keyFile } = credential;
        const [certificate, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
        const thumbprint = createHash('sha256')
          .update(new X509Certificate(certificate).raw)
          .digest('base64url');
        const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'pem' }).toString();
        const sign = PrivateKeyJwt(await importPKCS8(pkcs8, 'PS256'), {
          [modifyAssertion](header, payload) {
            header['x5t#S256'] = thumbprint;
            payload.aud = server.token_endpoint ?? server.issuer;
          },
        });
        await sign(server, client, body, headers);
      };
    case 'federated':
      return async (_server, client, body) => {
        const assertion = await readFile(credential.assertionFile, 'utf8');
        body.set('client_id', client.client_id);
        body.set('client_assertion_type', ASSERTION_TYPE);
        body.set('client_assertion', assertion.trim());
      };
  }
}
