import type { IncomingHttpHeaders } from 'node:http';

/** One HTTP request as the API areas see it: decoded path, parsed query, whole body. */
export interface ConsulRequest {
  readonly method: string;
  /** Percent-decoded once, as Go's `URL.Path`. */
  readonly path: string;
  /** As it was sent, escapes and all. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Aborts when the client goes away or the server closes. */
  readonly signal: AbortSignal;
}

export interface ConsulReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** What a query found, with the index its blocking successor waits on. */
export interface ReadResult<T> {
  readonly index: number;
  readonly value: T;
  /** Rows were left out because the ACL token may not read them. */
  readonly filtered?: boolean;
}

/** A refusal that the router turns into a plain-text answer. */
export class ConsulFailure extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.name = 'ConsulFailure';
    this.status = status;
  }
}

/** 500 with a text: what Consul answers for an error that is neither a refusal nor typed. */
export function serverFailure(text: string): ConsulFailure {
  return new ConsulFailure(500, text);
}

export function badRequest(text: string): ConsulFailure {
  return new ConsulFailure(400, text);
}

/** JSON as Go's encoder writes it: `<`, `>`, `&` and the line separators are escaped. */
export function goJson(value: unknown, pretty: boolean): string {
  const text = pretty ? `${JSON.stringify(value, null, 4)}\n` : JSON.stringify(value);
  return text.replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

export function jsonReply(
  request: ConsulRequest,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): ConsulReply {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: goJson(value, request.query.has('pretty')),
  };
}

export function textReply(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): ConsulReply {
  const type = text === '' ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: text };
}
