import type { IncomingHttpHeaders } from 'node:http';

/** One HTTP request: decoded path, parsed query, whole body. */
export interface ConsulRequest {
  readonly method: string;
  /** Percent-decoded once, as Go's `URL.Path`. */
  readonly path: string;
  /** As it was sent, with its escapes. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Aborts when the client disconnects or the server closes. */
  readonly signal: AbortSignal;
}

export interface ConsulReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export type Headers = Readonly<Record<string, string>>;

/** A refusal that the router turns into a plain-text answer. */
export class ConsulFailure extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.name = 'ConsulFailure';
    this.status = status;
  }
}

/** 500 with a text: Consul's answer to an error that is neither a refusal nor typed. */
export function serverFailure(text: string): ConsulFailure {
  return new ConsulFailure(500, text);
}

export function badRequest(text: string): ConsulFailure {
  return new ConsulFailure(400, text);
}

export function textReply(status: number, text: string, headers: Headers = {}): ConsulReply {
  const type = text === '' ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: text };
}

/** JSON as Go's encoder writes it: `<`, `>`, `&` and the line separators are escaped. */
export function goJson(value: unknown, pretty = false): string {
  const text = pretty ? `${JSON.stringify(value, null, 4)}\n` : JSON.stringify(value);
  return text.replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Several errors in one, as Consul's multi-error prints them. */
export function joinErrors(errors: readonly string[]): string {
  const head = errors.length === 1 ? '1 error occurred:' : `${errors.length} errors occurred:`;
  return `${head}\n\t${errors.map((error) => `* ${error}`).join('\n\t')}\n\n`;
}

/** A string as Go's `%q` prints it. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Runs a write; its failure carries a prefix, as that of a replicated log does. */
export function applied<T>(prefix: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof ConsulFailure) throw new ConsulFailure(error.status, `${prefix}: ${error.message}`);
    throw error;
  }
}
