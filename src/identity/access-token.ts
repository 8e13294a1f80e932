import * as oauth from 'openid-client';
import type { Clock } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import type { HttpClient } from './http-client.js';

/** Access tokens for an IdP's own API, by client credentials (RFC 6749, section 4.4). */
export interface AccessTokenSource {
  /**
   * A token that is good for some time yet. `stale` is one that the API refused: a new one is got unless somebody
   * else has done so already. Throws ERR_DIRECTORY_DENIED (the IdP refuses the client), ERR_DIRECTORY_UNREACHABLE,
   * ERR_CONFIG (another issuer answers), or the signal's reason.
   */
  get(signal: AbortSignal, stale?: string): Promise<string>;
  close(): void;
}

export interface AccessTokenOptions {
  readonly provider: string;
  /** Whose discovery document names the token endpoint (OpenID Connect Discovery 1.0, section 4). */
  readonly issuer: URL;
  /** Plain http is allowed. */
  readonly plain: boolean;
  readonly clientId: string;
  readonly authentication: oauth.ClientAuth;
  /** What is asked for: `scope`, `audience`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** What to do where the IdP refuses the client. */
  readonly remedy: string;
  readonly http: HttpClient;
  readonly clock: Clock;
}

interface Held {
  readonly text: string;
  readonly renewAt: number;
}

export function createAccessTokenSource(options: AccessTokenOptions): AccessTokenSource {
  const { clock } = options;
  const closing = new AbortController();
  let configuration: oauth.Configuration | undefined;
  let held: Held | undefined;
  let refresh: Promise<Held> | undefined;

  const renew = async (): Promise<Held> => {
    configuration ??= await discover(options, closing.signal);
    const asked = clock.now();
    const answer = await translated(options, closing.signal, configuration, (it) =>
      oauth.clientCredentialsGrant(it, { ...options.parameters }),
    );
    const lifetimeMs = (answer.expires_in ?? 60) * 1000;
    // Renewed a little early, so that no request leaves with a token that expires on its way.
    return { text: answer.access_token, renewAt: asked + lifetimeMs - Math.min(30_000, lifetimeMs / 5) };
  };

  return {
    async get(signal, stale) {
      signal.throwIfAborted();
      if (held !== undefined && (held.text === stale || clock.now() >= held.renewAt)) held = undefined;
      if (held !== undefined) return held.text;
      // One refresh serves every caller, so it must not end with the first caller's signal.
      refresh ??= renew().finally(() => {
        refresh = undefined;
      });
      held = await abortable(refresh, signal);
      return held.text;
    },
    close: () => closing.abort(new Error('closed')),
  };
}

async function discover(options: AccessTokenOptions, signal: AbortSignal): Promise<oauth.Configuration> {
  const { issuer, clientId, authentication, plain } = options;
  const failures: SyncError[] = [];
  const configuration = oauth.discovery(issuer, clientId, undefined, authentication, {
    [oauth.customFetch]: fetchOver(options, signal, failures),
    ...(plain ? { execute: [oauth.allowInsecureRequests] } : {}),
  });
  return configuration.catch((error: unknown) => {
    throw failures[0] ?? toSyncError(error, options);
  });
}

async function translated<T>(
  options: AccessTokenOptions,
  signal: AbortSignal,
  configuration: oauth.Configuration,
  ask: (configuration: oauth.Configuration) => Promise<T>,
): Promise<T> {
  const failures: SyncError[] = [];
  configuration[oauth.customFetch] = fetchOver(options, signal, failures);
  try {
    return await ask(configuration);
  } catch (error) {
    throw failures[0] ?? toSyncError(error, options);
  }
}

/** The library's fetch over the provider's own bounded transport; keeps the error that the library would wrap. */
function fetchOver(options: AccessTokenOptions, signal: AbortSignal, failures: SyncError[]) {
  const send: oauth.CustomFetch = async (address, { method, headers, body }) => {
    const form = body instanceof URLSearchParams ? body.toString() : body;
    const request = {
      method: method === 'POST' ? ('POST' as const) : ('GET' as const),
      headers,
      ...(typeof form === 'string' ? { body: form } : {}),
    };
    try {
      const answer = await options.http.request(new URL(address), placeOf(options), request, signal);
      const type = answer.headers['content-type'];
      return new Response(answer.body.byteLength === 0 ? null : answer.body, {
        status: answer.status,
        headers: type === undefined ? {} : { 'content-type': type },
      });
    } catch (error) {
      if (error instanceof SyncError) failures.push(error);
      throw error;
    }
  };
  return send;
}

// The library's errors carry the response, and through it what the IdP said; only codes are taken over.
function toSyncError(error: unknown, options: AccessTokenOptions): SyncError {
  const place = placeOf(options);
  // What a client authentication of ours threw, such as a file that is missing.
  if (error instanceof Error && error.cause instanceof SyncError) return error.cause;
  if (error instanceof oauth.ResponseBodyError && error.status === 429) {
    return new SyncError('ERR_DIRECTORY_RATE_LIMITED', `${place}: answered 429`, { retriable: true });
  }
  if (error instanceof oauth.ResponseBodyError && error.status < 500) {
    const said = /^[a-z_]{1,60}$/.test(error.error) ? error.error : 'an error';
    const message = `${place}: the client is refused (${said}); ${options.remedy}`;
    return new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
  }
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
  if (code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
    const message = `${place}: it names itself by another issuer; write the issuer as its discovery document does`;
    return new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  const message = `${place}: no token (${code === 'unknown' ? messageOf(error) : code})`;
  return new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true });
}

function placeOf(options: AccessTokenOptions): string {
  return `provider ${options.provider}, token of ${options.issuer.origin}`;
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
