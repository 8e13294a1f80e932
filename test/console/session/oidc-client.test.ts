import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { loginFault, OidcClient } from '../../../src/console/session/oidc-client.js';
import type { HttpClient } from '../../../src/identity/http-client.js';
import { Secret } from '../../../src/model/secret.js';

const ISSUER = 'https://idp.example.com';
const KEYS = await generateKeyPair('RS256', { extractable: true });
const JWK = { ...(await exportJWK(KEYS.publicKey)), kid: '1', alg: 'RS256', use: 'sig' };

/** `idToken`: what the identity provider gives for a code. */
function clientWith(idToken: () => Promise<string>): OidcClient {
  const answerTo = async ({ pathname }: URL): Promise<unknown> => {
    if (pathname === '/jwks') return { keys: [JWK] };
    if (pathname === '/token') return { access_token: 'a', token_type: 'Bearer', id_token: await idToken() };
    return {
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/auth`,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/jwks`,
      response_types_supported: ['code'],
    };
  };
  const http: HttpClient = {
    request: async (url) => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(await answerTo(url))),
    }),
    close: async () => {},
  };
  return new OidcClient({
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
}

/** Signs a person in who proved who they are at `authTime`. Resolves with the fault. */
async function signIn(authTime: number | undefined, isFresh = false): Promise<string | undefined> {
  let nonce = '';
  const client = clientWith(() => {
    const claims = { nonce, ...(authTime === undefined ? {} : { auth_time: authTime }) };
    const idToken = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: '1' }).setIssuedAt();
    const addressed = idToken.setIssuer(ISSUER).setAudience('console').setSubject('7');
    return addressed.setExpirationTime('5 min').sign(KEYS.privateKey);
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

const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const LOGOUT = { iss: ISSUER, aud: 'console', sub: '7', jti: '1', events: EVENTS };
const now = () => Math.floor(Date.now() / 1000);
const signed = (claims: object) =>
  new SignJWT({ ...LOGOUT, iat: now(), ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: '1' })
    .sign(KEYS.privateKey);

it('takes a logout token that the identity provider signed for this client, by person or by login', async () => {
  const client = clientWith(async () => '');
  expect(await client.verifyLogout(await signed({}))).toMatchObject({ sub: '7' });
  expect(await client.verifyLogout(await signed({ sub: undefined, sid: 's' }))).toMatchObject({ sid: 's' });
});

it.each<[string, () => Promise<string>]>([
  ['the audience of another client', () => signed({ aud: 'other' })],
  ['another issuer', () => signed({ iss: 'https://evil.test' })],
  ['no event', () => signed({ events: undefined })],
  ['another event', () => signed({ events: { 'https://evil.test/event': {} } })],
  ['a nonce, as an ID token has', () => signed({ nonce: 'n' })],
  ['neither a person nor a login', () => signed({ sub: undefined })],
  ['no instant', () => signed({ iat: undefined })],
  ['an instant of an hour ago', () => signed({ iat: now() - 3_600 })],
  ['an instant of the next hour', () => signed({ iat: now() + 3_600 })],
  ['alg none', async () => new UnsecuredJWT({ ...LOGOUT, iat: now() }).encode()],
  [
    'the public key as a shared secret',
    () =>
      new SignJWT({ ...LOGOUT, iat: now() })
        .setProtectedHeader({ alg: 'HS256', kid: '1' })
        .sign(Buffer.from(JSON.stringify(JWK))),
  ],
  [
    'the signature of another key',
    async () =>
      new SignJWT({ ...LOGOUT, iat: now() })
        .setProtectedHeader({ alg: 'RS256', kid: '1' })
        .sign((await generateKeyPair('RS256')).privateKey),
  ],
])('refuses a logout token with %s', async (_name, make) => {
  const forged = await make();
  await expect(clientWith(async () => '').verifyLogout(forged)).rejects.toThrow();
});
