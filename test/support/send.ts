import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, request } from 'undici';

export interface Answer {
  readonly status: number;
  /** Whether the status is 200 to 299. */
  readonly ok: boolean;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  /** The Content-Type names JSON. */
  readonly isJson: boolean;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** 10 s by default. */
  readonly timeoutMs?: number;
}

/**
 * One request and its whole answer, behind redirects that keep the method. Tests make thousands, and `fetch` takes four times the
 * processor time.
 */
export async function send(url: string, asked: Asked = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, timeoutMs = 10_000 } = asked;
  const answer = await request(url, {
    method: method as Dispatcher.HttpMethod,
    headers,
    body: body ?? null,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const text = await answer.body.text();
  const { statusCode: status } = answer;
  const { location } = answer.headers;
  if ((status === 307 || status === 308) && typeof location === 'string')
    return send(new URL(location, url).href, asked);
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return { status, ok: status >= 200 && status < 300, text, headers: answer.headers, isJson };
}
