import { Agent, type Dispatcher, errors } from 'undici';
import type { Clock } from '../clock.js';
import { codeOf, IncompleteRead, RefusedCredentials, SyncError } from '../errors.js';
import type { Metrics } from '../observe.js';
import { parseRetryAfter } from '../retry-after.js';
import { incomplete } from './read-errors.js';

/** An answer of any status. Its body is complete; otherwise `request` throws. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; a repeated header is joined with a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

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
  const agent = new Agent({
    connections: options.connections ?? 8,
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: 32 * 1024,
  });
  const count = (result: string) => metrics.count('scopemesh_directory_requests_total', { provider, result });

  return {
    async request(url, place, request, signal) {
      signal.throwIfAborted();
      const deadline = new AbortController();
      const abort = () => deadline.abort(signal.reason);
      const timer = setTimeout(() => deadline.abort(new Error('timeout')), timeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      let answered = false;
      try {
        const response = await agent.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: request.method ?? 'GET',
          headers: { accept: 'application/json', ...request.headers },
          body: request.body ?? null,
          signal: deadline.signal,
        });
        answered = true;
        const { quietMs } = request;
        const endless = quietMs === undefined ? undefined : { quietMs, longestMs: timeoutMs / 2 };
        const body = await readBody(response, maxBytes, place, endless);
        count(String(response.statusCode));
        return { status: response.statusCode, headers: flatten(response.headers), body };
      } catch (error) {
        signal.throwIfAborted();
        count('failed');
        if (error instanceof SyncError) throw error;
        if (deadline.signal.aborted) {
          const message = `${place}: no complete answer within ${timeoutMs} ms`;
          throw new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true });
        }
        if (answered || error instanceof errors.ResponseContentLengthMismatchError) {
          const message = `${place}: the answer is truncated`;
          throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true, cause: error });
        }
        const origin = place.includes(url.origin) ? '' : `${url.origin} `;
        const remedy = `check that it runs, and that ${addressKey} of this provider is correct`;
        const message = `${place}: ${origin}cannot be reached (${codeOf(error)}); ${remedy}`;
        throw new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true, cause: error });
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      }
    },
    close: () => agent.destroy(),
  };
}

/** The JSON of an answer. Throws IncompleteRead if it is not JSON, because half a document must not look complete. */
export function parseJson(answer: HttpAnswer, place: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(answer.body));
  } catch {
    // The parser's own message quotes the body, which may hold client secrets.
    throw incomplete(place, 'the answer is not valid JSON');
  }
}

/** The error for an answer with an unexpected status. It never quotes the body, which is untrusted. */
export function refusalOf(answer: HttpAnswer, place: string, clock: Clock): SyncError {
  const { status } = answer;
  const message = `${place}: answered ${status}`;
  if (status === 401) return new RefusedCredentials('ERR_DIRECTORY_DENIED', message, { retriable: false });
  if (status === 403) {
    return new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
  }
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], providerNow(answer, clock));
  const after = retryAfterMs === undefined ? {} : { retryAfterMs };
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

async function readBody(
  response: Dispatcher.ResponseData,
  maxBytes: number,
  place: string,
  endless: Endless | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of endless === undefined ? response.body : untilQuiet(response.body, endless)) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.byteLength;
    // Leaving the loop destroys the body, and with it the connection.
    if (size > maxBytes)
      throw incomplete(place, `the answer is longer than ${maxBytes} bytes; read smaller pages`, false);
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

interface Endless {
  readonly quietMs: number;
  readonly longestMs: number;
}

/** The chunks until none has arrived for `quietMs`, or until `longestMs` is over. Leaving the loop destroys the body. */
async function* untilQuiet(
  body: Dispatcher.ResponseData['body'],
  { quietMs, longestMs }: Endless,
): AsyncGenerator<unknown> {
  const chunks = body[Symbol.asyncIterator]();
  let isLong = false;
  const longest = setTimeout(() => {
    isLong = true;
  }, longestMs);
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const quiet = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), quietMs);
      });
      const next = chunks.next();
      // The abandoned read ends with the body. Its failure concerns no caller.
      next.catch(() => {});
      const result = await Promise.race([next, quiet]).finally(() => clearTimeout(timer));
      if (result === undefined || result.done === true) return;
      yield result.value;
      if (isLong) return;
    }
  } finally {
    clearTimeout(longest);
    // The iterator's own end would wait for the next chunk.
    body.destroy();
  }
}

function flatten(headers: Dispatcher.ResponseData['headers']): Record<string, string | undefined> {
  const flat: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
