import { SyncError } from '../errors.js';
import { fieldOf } from '../model/field-of.js';
import type { Runtime } from '../runtime.js';
import { type AccessTokenOptions, type AccessTokenSource, createAccessTokenSource } from './access-token.js';
import {
  createHttpClient,
  type HttpAnswer,
  type HttpClientOptions,
  type HttpRequest,
  MAX_PAUSE_MS,
  parseJson,
  providerNow,
  refusalOf,
} from './http-client.js';
import { isWithoutLimit, type RequestBudget } from './request-budget.js';

/** What the API of every provider is given. */
export interface ApiOptions
  extends Pick<Runtime, 'clock' | 'metrics'>,
    Pick<HttpClientOptions, 'caCert' | 'proxy'> {
  readonly provider: string;
  /** For one request; 10,000 by default. */
  readonly timeoutMs?: number;
  /** Allows plain http to other machines. */
  readonly insecure?: boolean;
  /** Without it, every request is sent at once. */
  readonly budget?: RequestBudget;
}

export type Query = Readonly<Record<string, string | number | boolean>>;

/** The value of the `Authorization` header. `refused` is the one that the API just answered with 401. */
export type Authorize = (signal: AbortSignal, refused?: string) => Promise<string>;

export function bearer(tokens: AccessTokenSource): Authorize {
  return async (signal, refused) => `Bearer ${await tokens.get(signal, refused?.slice('Bearer '.length))}`;
}

/** What the API of every provider has. */
export interface ProviderApi {
  readonly provider: string;
  /** Requests sent so far. */
  requests(): number;
  close(): Promise<void>;
}

/** A rate limit that the API states in a header, in seconds since the epoch, instead of in `Retry-After`. */
interface RateLimitReset {
  readonly header: string;
  /** The shortest wait: some APIs state a reset in the past. */
  readonly minMs: number;
}

/** What the APIs of all providers have in common: authorization, the meaning of answers, and rate limits. */
export function createApiClient(options: ApiOptions, reset?: RateLimitReset) {
  const { provider, clock, budget } = options;
  const http = createHttpClient(options);
  const sources: AccessTokenSource[] = [];
  let requests = 0;
  const api: ProviderApi = {
    provider,
    requests: () => requests,
    async close() {
      for (const source of sources) source.close();
      await http.close();
    },
  };
  const refusal = (answer: HttpAnswer, place: string): SyncError => {
    const error = refusalOf(answer, place, clock);
    if (answer.status !== 429 || error.retryAfterMs !== undefined || reset === undefined) return error;
    // Too many requests at the same moment: the reset is that of another limit.
    if (isWithoutLimit(answer)) return error;
    const seconds = answer.headers[reset.header];
    if (seconds === undefined || !/^\d{1,11}$/.test(seconds)) return error;
    const waitMs = Number(seconds) * 1000 - providerNow(answer, clock);
    const retryAfterMs = Math.min(Math.max(waitMs, reset.minMs), MAX_PAUSE_MS);
    return new SyncError(error.code, error.message, { retriable: true, retryAfterMs });
  };
  return {
    /** For the interface of the provider. */
    api,
    /** Access tokens by client credentials, requested over the same connections. */
    byTokens(login: Omit<AccessTokenOptions, 'provider' | 'clock' | 'http'>): Authorize {
      const source = createAccessTokenSource({ ...login, provider, clock, http, refusal });
      sources.push(source);
      return bearer(source);
    },
    /** Resolves with the answer, whatever its status. */
    send(
      url: URL,
      place: string,
      request: HttpRequest,
      authorize: Authorize,
      signal: AbortSignal,
    ): Promise<HttpAnswer> {
      return sendAuthorized(authorize, signal, (authorization) => {
        requests++;
        const headers = { ...request.headers, authorization };
        const send = () => http.request(url, place, { ...request, headers }, signal);
        return budget === undefined ? send() : budget.send(place, send, signal);
      });
    },
    /** The JSON of a 200. Any other answer throws, with the codes of Directory. */
    json(answer: HttpAnswer, place: string): unknown {
      if (answer.status !== 200) throw refusal(answer, place);
      return parseJson(answer, place);
    },
    /** The error for an unexpected answer. */
    refusal,
  };
}

/** Repeats a request once after a 401: a token can be revoked before it expires. */
export async function sendAuthorized(
  authorize: Authorize,
  signal: AbortSignal,
  request: (authorization: string) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const first = await authorize(signal);
  const answer = await request(first);
  if (answer.status !== 401) return answer;
  const renewed = await authorize(signal, first);
  return renewed === first ? answer : request(renewed);
}

/**
 * Whether a 404 comes from the API itself, which says with its own error code that the object does not exist. Any other
 * 404 may come from a proxy, or from a wrong address.
 */
export function isApiNotFound(answer: HttpAnswer, field: string, code: string, place: string): boolean {
  if (answer.status !== 404) return false;
  if (!(answer.headers['content-type'] ?? '').startsWith('application/json')) return false;
  return fieldOf(parseJson(answer, place), field) === code;
}
