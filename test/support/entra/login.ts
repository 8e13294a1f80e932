import { createHash, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { decodeProtectedHeader, exportJWK, jwtVerify, SignJWT } from 'jose';
import { type RsaPair, takeRsaPair } from '../rsa-keys.js';
import type { Answer } from './answers.js';
import { shape } from './shapes.js';

/** What the app registration of scopemesh accepts as proof. */
export interface Registration {
  readonly clientId: string;
  clientSecret: string;
  /** PEM. */
  certificate?: string;
  /** The assertion of another issuer that a federated credential trusts. */
  assertion?: string;
}

export interface Login {
  readonly registration: Registration;
  /** Every proof that was accepted, newest last. */
  readonly logins: string[];
  answer(path: string, body: string): Promise<Answer | undefined>;
  /** An access token of version 2 for the audience `consul`, as an API would get it. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  isValid(authorization: string | undefined): boolean;
  /** Every token issued so far is refused from now on. */
  revokeTokens(): void;
}

/** The login endpoint of one tenant (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow). */
export function createLogin(origin: string, tenantId: string, registration: Registration): Login {
  const tokens = new Set<string>();
  // Made at the first use: most tests need none, and it costs a tenth of a second.
  let pair: RsaPair | undefined;
  const keys = () => (pair ??= takeRsaPair());
  const logins: string[] = [];
  const base = `${origin}/${tenantId}`;
  const tokenEndpoint = `${base}/oauth2/v2.0/token`;

  const proofOf = async (form: URLSearchParams): Promise<string | undefined> => {
    if (form.get('client_secret') === registration.clientSecret) return 'secret';
    const assertion = form.get('client_assertion');
    if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
      return;
    if (assertion === null) return undefined;
    if (registration.assertion !== undefined && assertion === registration.assertion) return 'federated';
    if (registration.certificate === undefined) return undefined;
    const certificate = new X509Certificate(registration.certificate);
    const header = decodeProtectedHeader(assertion);
    const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
    if (header['x5t#S256'] !== thumbprint) return undefined;
    const { clientId } = registration;
    const expected = { issuer: clientId, subject: clientId, audience: tokenEndpoint, algorithms: ['PS256'] };
    const key = createPublicKey(registration.certificate);
    return jwtVerify(assertion, key, expected).then(
      () => 'certificate',
      () => undefined,
    );
  };

  return {
    registration,
    logins,
    async answer(path, body) {
      if (path === `/${tenantId}/v2.0/.well-known/openid-configuration`) {
        const metadata = {
          issuer: `${base}/v2.0`,
          token_endpoint: tokenEndpoint,
          jwks_uri: `${base}/discovery/v2.0/keys`,
          authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
          response_types_supported: ['code', 'id_token'],
          subject_types_supported: ['pairwise'],
          id_token_signing_alg_values_supported: ['RS256'],
          token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
          tenant_region_scope: 'EU',
        };
        return { status: 200, json: metadata };
      }
      if (path === `/${tenantId}/discovery/v2.0/keys`) {
        const key = await exportJWK(keys().publicKey);
        return { status: 200, json: { keys: [{ ...key, use: 'sig', kid: 'example', alg: 'RS256' }] } };
      }
      if (path !== `/${tenantId}/oauth2/v2.0/token`) return undefined;
      const form = new URLSearchParams(body);
      if (form.get('scope') !== `${origin}/.default` || form.get('grant_type') !== 'client_credentials') {
        return { status: 400, json: { error: 'invalid_scope', error_description: 'AADSTS1002012' } };
      }
      const proof = form.get('client_id') === registration.clientId ? await proofOf(form) : undefined;
      if (proof === undefined) {
        return { status: 401, json: shape('login-error', {}) };
      }
      logins.push(proof);
      const accessToken = randomBytes(24).toString('base64url');
      tokens.add(accessToken);
      const json = {
        token_type: 'Bearer',
        expires_in: 3599,
        ext_expires_in: 3599,
        access_token: accessToken,
      };
      return { status: 200, json };
    },
    sign: (claims) =>
      new SignJWT({ ver: '2.0', tid: tenantId, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'example', typ: 'JWT' })
        .setIssuer(`${base}/v2.0`)
        .setAudience('consul')
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(keys().privateKey),
    isValid: (authorization) => tokens.has((authorization ?? '').replace(/^Bearer /, '')),
    revokeTokens: () => tokens.clear(),
  };
}
