import { createRemoteJWKSet, jwtVerify, customFetch as ofKeys } from 'jose';
import * as oauth from 'openid-client';
import { z } from 'zod';
import type { Config } from '../../../config/config.js';
import type { ConsoleLogin } from '../../../config/console-settings.js';
import { type Clock, isoText } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { createHttpClient, type HttpClient } from '../../identity/http-client.js';
import { definedFields } from '../../model/defined-fields.js';
import { noMetrics } from '../../observe.js';
import type { Runtime } from '../../runtime.js';
import { safeParse } from '../../safe-parse.js';

/** What a browser keeps between the two halves of a login. */
export interface Attempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** The sign-in at the identity provider may be so many seconds old. */
  readonly maxAge: number;
}

/** What the identity provider says about a person. */
export interface SignedIn {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly idToken: string;
}

/** Whose sessions end: the sessions of a person, or of one login. */
export interface Ended {
  readonly sub?: string;
  readonly sid?: string;
  /** ISO 8601: when the identity provider ended them. */
  readonly at: string;
}

export interface OidcClientOptions extends ConsoleLogin {
  readonly issuer: string;
  /** Of the console. */
  readonly origin: string;
  /** The claim that gives roles. */
  readonly rolesClaim: string;
  /** The sign-in at the identity provider may be so old. */
  readonly longestMs: number;
  readonly freshMs: number;
  readonly http: HttpClient;
  readonly clock: Pick<Clock, 'now'>;
}

const MOST_BYTES = 1024 * 1024;

/** As both libraries send a request. */
interface Sent {
  readonly method: string;
  readonly headers: Headers | Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Between two reads of a discovery document that failed. */
const RETRY_MS = 5_000;
/** `max_age` is in seconds, and clocks differ. */
const CLOCKS_DIFFER_SECONDS = 30;
const NO_AUTH_TIME =
  'the ID token does not say when the person signed in; let the identity provider add the claim auth_time to the ID tokens of this client (in Entra ID it is an optional claim)';
const TOO_OLD =
  'the identity provider did not ask the person again, although their sign-in is older than max_age; let it honour max_age, or sign out there and sign in again';
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
/** OpenID Connect Back-Channel Logout 1.0, section 2.4. A session that is unknown is none of ours. */
const LOGOUT_CLAIMS = z.object({
  sub: z.string().exactOptional(),
  sid: z.string().exactOptional(),
  events: z.object({ [LOGOUT]: z.object({}) }),
  nonce: z.undefined().optional(),
});

/** The console as a client of one identity provider: authorization code with PKCE (RFC 9700). */
export class OidcClient {
  readonly #options: OidcClientOptions;
  #reading: Promise<oauth.Configuration> | undefined;
  #keys: ReturnType<typeof createRemoteJWKSet> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(options: OidcClientOptions) {
    this.#options = options;
  }

  get provider(): string {
    return this.#options.provider;
  }

  get #redirectUri(): string {
    return `${this.#options.origin}/login/${this.provider}/callback`;
  }

  /** Where to send the browser. `isFresh`: the person must have proved who they are just now. */
  async begin(isFresh: boolean): Promise<{ readonly address: URL; readonly attempt: Attempt }> {
    const configuration = await this.#configuration();
    const verifier = oauth.randomPKCECodeVerifier();
    const [state, nonce] = [oauth.randomState(), oauth.randomNonce()];
    const maxAge = Math.floor((isFresh ? this.#options.freshMs : this.#options.longestMs) / 1000);
    const address = oauth.buildAuthorizationUrl(configuration, {
      redirect_uri: this.#redirectUri,
      scope: this.#options.scopes.join(' '),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      // With it the ID token must say when the person signed in.
      max_age: String(maxAge),
    });
    return { address, attempt: { state, nonce, verifier, maxAge } };
  }

  /** `query`: of the callback. Throws unless everything fits. */
  async finish(query: string, { state, nonce, verifier, maxAge }: Attempt): Promise<SignedIn> {
    const configuration = await this.#configuration();
    const answer = await oauth.authorizationCodeGrant(
      configuration,
      new URL(`${this.#redirectUri}?${query}`),
      {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      },
    );
    const claims: Record<string, unknown> = { ...answer.claims() };
    const { sub, auth_time: signedInAt } = claims;
    if (typeof signedInAt !== 'number') throw new Error(NO_AUTH_TIME);
    if (signedInAt + maxAge + CLOCKS_DIFFER_SECONDS < this.#options.clock.now() / 1000)
      throw new Error(TOO_OLD);
    const { rolesClaim } = this.#options;
    const isAsked = claims[rolesClaim] === undefined && typeof sub === 'string';
    if (isAsked && configuration.serverMetadata().userinfo_endpoint !== undefined)
      claims[rolesClaim] = (await oauth.fetchUserInfo(configuration, answer.access_token, sub))[rolesClaim];
    return { claims, idToken: answer.id_token ?? '' };
  }

  /** Where the browser ends the session at the identity provider; undefined if it has no such place. */
  async logoutAddress(idToken: string): Promise<string | undefined> {
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
    return oauth.buildEndSessionUrl(configuration, {
      id_token_hint: idToken,
      post_logout_redirect_uri: `${this.#options.origin}/`,
    }).href;
  }

  /** Whose sessions a logout token ends, and until when they began. Throws if the identity provider did not sign it for this client. */
  async verifyLogout(logoutToken: string): Promise<Ended> {
    const { clientId, clock } = this.#options;
    const { issuer, jwks_uri } = (await this.#configuration()).serverMetadata();
    if (jwks_uri === undefined) throw new Error('the identity provider has no keys');
    this.#keys ??= createRemoteJWKSet(new URL(jwks_uri), { [ofKeys]: this.#fetch });
    const { payload } = await jwtVerify(logoutToken, this.#keys, {
      issuer,
      audience: clientId,
      maxTokenAge: '10 min',
      clockTolerance: 60,
      currentDate: new Date(clock.now()),
    });
    const claims = safeParse(LOGOUT_CLAIMS, payload).data;
    if (claims === undefined || (claims.sub === undefined && claims.sid === undefined))
      throw new Error('it is no logout token');
    return { ...claims, at: isoText((payload.iat ?? 0) * 1000) };
  }

  /** The discovery document is read once, and after a failure only some time later, so that a flood of logins costs little. */
  #configuration(): Promise<oauth.Configuration> {
    const { issuer, clientId, clientSecret, clock } = this.#options;
    if (this.#reading !== undefined) return this.#reading;
    if (clock.now() - this.#failedAt < RETRY_MS)
      return Promise.reject(new Error('the identity provider did not answer; try again in some seconds'));
    const execute = [oauth.enableNonRepudiationChecks];
    if (issuer.startsWith('http:')) execute.push(oauth.allowInsecureRequests);
    const authentication = oauth.ClientSecretPost(clientSecret.reveal());
    this.#reading = oauth.discovery(new URL(issuer), clientId, undefined, authentication, {
      [oauth.customFetch]: this.#fetch,
      execute,
    });
    this.#reading.catch(() => {
      this.#reading = undefined;
      this.#failedAt = clock.now();
    });
    return this.#reading;
  }

  /** Over the transport of providers: with limits of time and size, their CA and the proxy. */
  readonly #fetch = async (address: string, { method, headers, body, signal }: Sent): Promise<Response> => {
    const form = body instanceof URLSearchParams ? body.toString() : body;
    const answer = await this.#options.http.request(
      new URL(address),
      `login at provider ${this.provider}`,
      {
        method: method === 'POST' ? 'POST' : 'GET',
        headers: Object.fromEntries(new Headers(headers)),
        ...(typeof form === 'string' ? { body: form } : {}),
      },
      signal ?? new AbortController().signal,
    );
    const type = answer.headers['content-type'];
    return new Response(answer.body.byteLength === 0 ? null : answer.body, {
      status: answer.status,
      headers: type === undefined ? {} : { 'content-type': type },
    });
  };
}

/** The clients of `http.console.login`, by the name of the provider. */
export function createLogins(
  { http: { console: settings }, providers }: Pick<Config, 'http' | 'providers'>,
  { clock, proxy }: Pick<Runtime, 'clock' | 'proxy'>,
): { readonly clients: ReadonlyMap<string, OidcClient>; close(): Promise<void> } {
  const { login, origin = '', roles, longestMs, freshMs } = settings;
  const transports: HttpClient[] = [];
  const clients = login.flatMap((each) => {
    const provider = providers.find(({ name }) => name === each.provider);
    if (provider === undefined) return [];
    const { caCert } = provider;
    const http = createHttpClient({
      provider: each.provider,
      metrics: noMetrics,
      maxBytes: MOST_BYTES,
      ...definedFields({ caCert, proxy }),
    });
    transports.push(http);
    const options = { ...each, issuer: provider.issuer, origin, longestMs, freshMs, http, clock };
    return [[each.provider, new OidcClient({ ...options, rolesClaim: roles.claim })] as const];
  });
  return {
    clients: new Map(clients),
    close: async () => {
      await Promise.all(transports.map((http) => http.close()));
    },
  };
}

/** An error of the library without what the identity provider wrote: any of it may be a secret. */
export function loginFault(error: unknown): string {
  if (error instanceof Error && 'error' in error && typeof error.error === 'string')
    return `the identity provider refuses (${error.error.replace(/[^\w-]/g, '_').slice(0, 64)})`;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code.startsWith('OAUTH_') ? code : messageOf(error);
}
