import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { importPKCS8 } from 'jose';
import { type ClientAuth, ClientSecretPost, modifyAssertion, PrivateKeyJwt } from 'openid-client';
import { SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';

/** How scopemesh authenticates to the login endpoint. */
export type EntraCredential =
  | { readonly kind: 'secret'; readonly clientSecret: Secret }
  /** PEM files. */
  | { readonly kind: 'certificate'; readonly certFile: string; readonly keyFile: string }
  /** A file with a JWT from another issuer that the app registration trusts. The issuer replaces the file. */
  | { readonly kind: 'federated'; readonly assertionFile: string };

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Files are read again for each token, so that a rotation needs no restart. The assertion of a certificate is signed with
 * PS256 and names the certificate by `x5t#S256`
 * (https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
 */
export function toClientAuth(credential: EntraCredential): ClientAuth {
  switch (credential.kind) {
    case 'secret':
      return ClientSecretPost(credential.clientSecret.reveal());
    // The library awaits the returned promise, although the type does not say so.
    case 'certificate':
      return async (server, client, body, headers) => {
        const { certFile, keyFile } = credential;
        const certificate = await read(certFile, (pem) => new X509Certificate(pem));
        const pkcs8 = await read(keyFile, (pem) =>
          createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem' }).toString(),
        );
        const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
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
        const assertion = await read(credential.assertionFile, (bytes) => bytes.toString('utf8').trim());
        body.set('client_id', client.client_id);
        body.set('client_assertion_type', ASSERTION_TYPE);
        body.set('client_assertion', assertion);
      };
  }
}

/** Throws ERR_CONFIG with only the name of the file, because its content is secret. */
async function read<T>(file: string, parse: (content: Buffer) => T): Promise<T> {
  try {
    return parse(await readFile(file));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const message = `the credential file ${file} cannot be read (${code}); check that it exists and, for a certificate, that it is PEM`;
    throw new SyncError('ERR_CONFIG', message, { retriable: true });
  }
}
