import * as oauth from 'openid-client';
import type { Clock } from '../clock.js';
import { configError, messageOf, RefusedCredentials, SyncError } from '../errors.js';
import { abortable } from './abortable.js';
import { type HttpAnswer, type HttpClient, refusalOf } from './http-client.js';
import { denied } from './read-errors.js';

/** Access tokens for an identity provider's own API, by client credentials (RFC 6749, section 4.4). */
export type AccessTokenSource = ReturnType<typeof createAccessTokenSource>;

export interface AccessTokenOptions {
  readonly provider: string;
  /**
   * Its discovery document names the token endpoint (OpenID Connect Discovery 1.0, section 4), which may be plain http only
   * if the issuer is. The configuration has refused a plain http issuer on another machine.
   */
  readonly issuer: URL;
  readonly clientId: string;
  readonly authentication: oauth.ClientAuth;
  /** Parameters of the token request: `scope`, `audience`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** What to do if the identity provider refuses the client. */
  readonly remedy: string;
  readonly http: HttpClient;
  readonly clock: Clock;
  /** The error for a 429; `refusalOf` by default. */
  readonly refusal?: (answer: HttpAnswer, place: string) => SyncError;
}

interface CachedToken {
  readonly text: string;
  readonly renewAt: number;
}

export function createAccessTokenSource(options: AccessTokenOptions) {
  const { clock } = options;
  const closing = new AbortController();
  let configuration: oauth.Configuration | undefined;
  let cached: CachedToken | undefined;
  let refresh: Promise<CachedToken> | undefined;
  /** Of the transport, in the current refresh: the library would wrap it. */
  let failure: SyncError | undefined;
  const send = fetchOver(options, closing.signal, (error) => {
    failure ??= error;
  });

  const renew = async (): Promise<CachedToken> => {
    failure = undefined;
    try {
      configuration ??= await oauth.discovery(
        options.issuer,
        options.clientId,
        undefined,
        options.authentication,
        {
          [oauth.customFetch]: send,
          ...(options.issuer.protocol === 'http:' ? { execute: [oauth.allowInsecureRequests] } : {}),
        },
      );
      const requestedAt = clock.now();
      const answer = await oauth.clientCredentialsGrant(configuration, { ...options.parameters });
      const lifetimeMs = (answer.expires_in ?? 60) * 1000;
      // Renewed a little early, so that no token expires while a request is on its way.
      const renewAt = requestedAt + lifetimeMs - Math.min(30_000, lifetimeMs / 5);
      return { text: answer.access_token, renewAt };
    } catch (error) {
      throw failure ?? toSyncError(error, options);
    }
  };

  return {
    /**
     * A token that stays valid for some time. `refused` is a token that the API refused: it is replaced, unless another
     * caller has replaced it already. Throws ERR_DIRECTORY_DENIED (the identity provider refuses the client),
     * ERR_DIRECTORY_UNREACHABLE, ERR_CONFIG (the issuer does not match), or the signal's reason.
     */
    async get(signal: AbortSignal, refused?: string): Promise<string> {
      signal.throwIfAborted();
      if (cached !== undefined && (cached.text === refused || clock.now() >= cached.renewAt))
        cached = undefined;
      if (cached !== undefined) return cached.text;
      // One refresh serves every caller, so it must not end with the first caller's signal.
      refresh ??= renew().finally(() => {
        refresh = undefined;
      });
      cached = await abortable(refresh, signal);
      return cached.text;
    },
    close: () => closing.abort(new Error('closed')),
  };
}

/** A fetch for the library over the provider's own transport. */
function fetchOver(
  options: AccessTokenOptions,
  signal: AbortSignal,
  onFailure: (error: SyncError) => void,
): oauth.CustomFetch {
  return async (address, { method, headers, body }) => {
    const form = body instanceof URLSearchParams ? body.toString() : body;
    const request = {
      method: method === 'POST' ? ('POST' as const) : ('GET' as const),
      headers,
      ...(typeof form === 'string' ? { body: form } : {}),
    };
    try {
      const answer = await options.http.request(new URL(address), placeOf(options), request, signal);
      // Whatever its body is: a gateway limits the rate too.
      if (answer.status === 429) {
        const place = placeOf(options);
        throw options.refusal?.(answer, place) ?? refusalOf(answer, place, options.clock);
      }
      const type = answer.headers['content-type'];
      return new Response(answer.body.byteLength === 0 ? null : answer.body, {
        status: answer.status,
        headers: type === undefined ? {} : { 'content-type': type },
      });
    } catch (error) {
      if (error instanceof SyncError) onFailure(error);
      throw error;
    }
  };
}

/** RFC 6749, section 5.2; RFC 8707, section 2; RFC 9449, section 5; and what Auth0 adds. Any other text may be a secret. */
const ERROR_CODES: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'access_denied',
  'server_error',
  'temporarily_unavailable',
]);

/** The same client gets no token for any other scope either. */
const OF_CLIENT: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_dpop_proof',
  'use_dpop_nonce',
]);

// The library's errors contain the response, and so text of the identity provider. Only error codes are taken from them.
function toSyncError(error: unknown, options: AccessTokenOptions): SyncError {
  const place = placeOf(options);
  // Our own client authentication failed, for example because a file is missing.
  if (error instanceof Error && error.cause instanceof SyncError) return error.cause;
  if (error instanceof oauth.ResponseBodyError && error.status < 500) {
    const reason = ERROR_CODES.has(error.error) ? error.error : 'an unknown error';
    const why = `the identity provider refuses the client (${reason}); ${options.remedy}`;
    // Auth0 answers a wrong secret with 401 and access_denied.
    if (error.status !== 401 && !OF_CLIENT.has(reason)) return denied(place, why);
    return new RefusedCredentials('ERR_DIRECTORY_DENIED', `${place}: ${why}`, { retriable: false });
  }
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
  if (code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
    return configError(
      `${place}: the discovery document names another issuer; write the issuer exactly as the document does`,
    );
  }
  const message = `${place}: cannot get an access token (${code === 'unknown' ? messageOf(error) : code})`;
  return new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true });
}

function placeOf(options: AccessTokenOptions): string {
  return `provider ${options.provider}, token of ${options.issuer.origin}`;
}
