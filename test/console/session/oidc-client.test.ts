import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { loginFault, OidcClient } from '../../../src/console/session/oidc-client.js';
import type { HttpClient } from '../../../src/identity/http-client.js';
import { Secret } from '../../../src/model/secret.js';

const ISSUER = 'https://idp.example.com';
const KEYS = await generateKeyPair('RS256', { extractable: true });
const JWK = { ...(await exportJWK(KEYS.publicKey)), kid: '1', alg: 'RS256', use: 'sig' };

/** Signs a person in who proved who they are at `authTime`. Resolves with the fault. */
async function signIn(authTime: number | undefined, isFresh = false): Promise<string | undefined> {
  let nonce = '';
  const answerTo = async ({ pathname }: URL): Promise<unknown> => {
    if (pathname === '/jwks') return { keys: [JWK] };
    if (pathname !== '/token')
      return {
        issuer: ISSUER,
        authorization_endpoint: `${ISSUER}/auth`,
        token_endpoint: `${ISSUER}/token`,
        jwks_uri: `${ISSUER}/jwks`,
        response_types_supported: ['code'],
      };
    const claims = { nonce, ...(authTime === undefined ? {} : { auth_time: authTime }) };
    const idToken = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: '1' }).setIssuedAt();
    const signed = idToken
      .setIssuer(ISSUER)
      .setAudience('console')
      .setSubject('7')
      .setExpirationTime('5 min');
    return { access_token: 'a', token_type: 'Bearer', id_token: await signed.sign(KEYS.privateKey) };
  };
  const http: HttpClient = {
    request: async (url) => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(await answerTo(url))),
    }),
    close: async () => {},
  };
  const client = new OidcClient({
    provider: 'main',
    clientId: 'console',
    clientSecret: new Secret('s'),
    scopes: ['openid'],
    issuer: ISSUER,
    origin: 'https://console.example.com',
    rolesClaim: 'groups',
    longestMs: 8 * 3_600_000,
    freshMs: 900_000,
    http,
    clock: systemClock,
  });
  const { address, attempt } = await client.begin(isFresh);
  nonce = address.searchParams.get('nonce') ?? '';
  try {
    await client.finish(`code=c&state=${attempt.state}`, attempt);
    return undefined;
  } catch (error) {
    return loginFault(error);
  }
}

it('says what to change at an identity provider that does not say when the person signed in', async () => {
  const fault = await signIn(undefined);
  expect(fault).toContain('add the claim auth_time to the ID tokens of this client');
});

it('does not let in for a change who signed in too long ago, whatever the identity provider thinks', async () => {
  const now = Date.now() / 1000;
  expect(await signIn(now - 3_600)).toBeUndefined();
  expect(await signIn(now - 3_600, true)).toContain('did not ask the person again');
  expect(await signIn(now - 9 * 3_600)).toContain('did not ask the person again');
  expect(await signIn(now - 60, true)).toBeUndefined();
});
