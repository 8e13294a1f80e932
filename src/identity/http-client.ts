import { Agent, type Dispatcher, EnvHttpProxyAgent, errors } from 'undici';
import type { Clock } from '../clock.js';
import { codeOf, IncompleteRead, messageOf, RefusedCredentials, SyncError } from '../errors.js';
import { type HttpAnswer, HttpExchange } from '../http-exchange.js';
import { jsonInBytes } from '../model/json-in.js';
import type { Metrics } from '../observe.js';
import { parseRetryAfter } from '../retry-after.js';
import type { HttpsProxy } from '../runtime.js';
import { incomplete } from './read-errors.js';

export type { HttpAnswer };

export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /**
   * For an answer that never ends (server-sent events): the body is what arrives until nothing has arrived for this long,
   * and at most what arrives in half of the timeout.
   */
  readonly quietMs?: number;
}

export interface HttpClient {
  /**
   * Sends one request and follows no redirect. `place` names it in errors, so it must hold no secret. Throws
   * ERR_DIRECTORY_UNREACHABLE (no connection, timeout), IncompleteRead (a body that is truncated or too long), or the
   * signal's reason when aborted.
   */
  request(url: URL, place: string, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface HttpClientOptions {
  readonly provider: string;
  readonly metrics: Metrics;
  /** The configuration key that holds the address; `issuer` by default. */
  readonly addressKey?: string;
  /** For the whole exchange, the body included; 10,000 by default. */
  readonly timeoutMs?: number;
  /** The longest body that is read; 32 MiB by default. */
  readonly maxBytes?: number;
  /** Connections to one origin; 8 by default. */
  readonly connections?: number;
  /** CA certificates in PEM, instead of the public ones. */
  readonly caCert?: string;
  readonly proxy?: HttpsProxy;
}

/** A pooled transport to an identity provider. Time, size and connections are bounded. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const {
    provider,
    metrics,
    timeoutMs = 10_000,
    maxBytes = 32 * 1024 * 1024,
    addressKey = 'issuer',
  } = options;
  const agent = createDispatcher(options, timeoutMs);
  const remedyOf = (error: unknown, url: URL): string => {
    if (UNTRUSTED.has(codeOf(error)))
      return 'set caFile of this provider to a file with the CA that signed its certificate';
    const byProxy = options.proxy !== undefined && url.protocol === 'https:';
    const ways = byProxy ? ', and that HTTPS_PROXY and NO_PROXY are' : '';
    return `check that it runs, and that ${addressKey} of this provider is correct${ways}`;
  };
  const count = (result: string) => metrics.count('scopemesh_directory_requests_total', { provider, result });

  return {
    async request(url, place, request, signal) {
      signal.throwIfAborted();
      const { quietMs } = request;
      const exchange = new HttpExchange({
        maxBytes,
        tooLong: () =>
          incomplete(place, `the answer is longer than ${maxBytes} bytes; read smaller pages`, false),
        endless: quietMs === undefined ? undefined : { quietMs, longestMs: timeoutMs / 2 },
      });
      const abort = () => exchange.fail(signal.reason);
      const timer = setTimeout(() => {
        const message = `${place}: no complete answer within ${timeoutMs} ms`;
        exchange.fail(new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true }));
      }, timeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      try {
        agent.dispatch(
          {
            origin: url.origin,
            path: url.pathname + url.search,
            method: request.method ?? 'GET',
            headers: { accept: 'application/json', ...request.headers },
            body: request.body ?? null,
          },
          exchange,
        );
        const answer = await exchange.answer;
        count(String(answer.status));
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        count('failed');
        if (error instanceof SyncError) throw error;
        if (exchange.status !== undefined || error instanceof errors.ResponseContentLengthMismatchError) {
          const message = `${place}: the answer is truncated`;
          throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true, cause: error });
        }
        const origin = place.includes(url.origin) ? '' : `${url.origin} `;
        const message = `${place}: ${origin}cannot be reached (${failureOf(error)}); ${remedyOf(error, url)}`;
        throw new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true, cause: error });
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      }
    },
    close: () => agent.destroy(),
  };
}

/** undici reads no environment if it gets all addresses. Plain http never goes by the proxy. */
function createDispatcher(
  { connections = 8, caCert, proxy }: HttpClientOptions,
  timeoutMs: number,
): Dispatcher {
  const connect = { timeout: timeoutMs, ...(caCert === undefined ? {} : { ca: caCert }) };
  const options = { connections, connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  if (proxy === undefined) return new Agent(options);
  return new EnvHttpProxyAgent({
    ...options,
    requestTls: connect,
    proxyTls: { timeout: timeoutMs },
    httpProxy: '',
    httpsProxy: proxy.url.reveal(),
    noProxy: proxy.except,
  });
}

/** Of a certificate that no known CA signed (nodejs.org/api/tls.html, X509 certificate error codes). */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** A proxy that refuses the tunnel says why by its status alone. */
function failureOf(error: unknown): string {
  const status = /^Proxy response \((\d{3})\)/.exec(messageOf(error))?.[1];
  return status === undefined ? codeOf(error) : `the proxy answered ${status}`;
}

/** The JSON of an answer. Throws IncompleteRead if it is not JSON, because half a document must not look complete. */
export function parseJson(answer: HttpAnswer, place: string): unknown {
  const value = jsonInBytes(answer.body);
  if (value === undefined) throw incomplete(place, 'the answer is not valid JSON, or is nested too much');
  return value;
}

/** The longest pause that an identity provider can impose: a wrong header must not stop the reads for hours. */
export const MAX_PAUSE_MS = 60_000;

/** The error for an answer with an unexpected status. It never quotes the body, which is untrusted. */
export function refusalOf(answer: HttpAnswer, place: string, clock: Clock): SyncError {
  const { status } = answer;
  const message = `${place}: answered ${status}`;
  if (status === 401) return new RefusedCredentials('ERR_DIRECTORY_DENIED', message, { retriable: false });
  if (status === 403) return new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
  const statedMs = parseRetryAfter(answer.headers['retry-after'], providerNow(answer, clock));
  const after = statedMs === undefined ? {} : { retryAfterMs: Math.min(statedMs, MAX_PAUSE_MS) };
  if (status === 429)
    return new SyncError('ERR_DIRECTORY_RATE_LIMITED', message, { retriable: true, ...after });
  if (status >= 500 || status === 408) {
    return new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true, ...after });
  }
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: status === 404 });
}

/** The time by the identity provider's clock if the answer states it, because that clock may differ from ours. */
export function providerNow(answer: HttpAnswer, clock: Clock): number {
  const there = Date.parse(answer.headers.date ?? '');
  return Number.isNaN(there) ? clock.now() : there;
}
