import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { closeServer, listen } from '../listen.js';
import { readBody } from '../read-body.js';
import { type ConsulReply, type ConsulRequest, textReply } from './exchange.js';

const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** Answers HTTP with `answer`; a client that goes away aborts its request's signal. */
export class HttpListener {
  readonly #server: Server;
  /** One controller for each request under way. */
  readonly #underWay = new Set<AbortController>();

  constructor(answer: (request: ConsulRequest) => Promise<ConsulReply>) {
    this.#server = createServer({ keepAliveTimeout: 120_000 }, (incoming, outgoing) => {
      void this.#serve(incoming, outgoing, answer);
    });
  }

  /** Resolves with the port taken; rejects with the listener's own error. */
  listen(host: string, port: number): Promise<number> {
    return listen(this.#server, { host, port });
  }

  /** Answers waiting queries at once, then ends every connection. */
  close(): Promise<void> {
    for (const request of this.#underWay) request.abort();
    return closeServer(this.#server);
  }

  async #serve(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    answer: (request: ConsulRequest) => Promise<ConsulReply>,
  ): Promise<void> {
    const gone = new AbortController();
    outgoing.once('close', () => {
      // After a whole answer nothing waits any more, and an abort makes an error with its stack.
      if (!outgoing.writableFinished) gone.abort();
    });
    this.#underWay.add(gone);
    try {
      const body = await readBody(incoming, MAX_BODY_BYTES);
      const reply =
        body === undefined
          ? textReply(413, 'http: request body too large')
          : await answer(toRequest(incoming, body, gone.signal));
      send(outgoing, reply);
    } catch {
      // The client went away while sending, or the URL cannot be decoded.
      if (!outgoing.headersSent) send(outgoing, textReply(400, '400 Bad Request'));
    } finally {
      this.#underWay.delete(gone);
    }
  }
}

function toRequest(incoming: IncomingMessage, body: Buffer, signal: AbortSignal): ConsulRequest {
  const target = incoming.url ?? '/';
  const mark = target.indexOf('?');
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  return {
    method: incoming.method ?? 'GET',
    path: decodePath(rawPath),
    rawPath,
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    headers: incoming.headers,
    body,
    signal,
  };
}

/** Bytes that are not UTF-8 become the replacement character; a broken escape throws. */
function decodePath(rawPath: string): string {
  if (/%(?![0-9a-f]{2})/i.test(rawPath)) throw new Error('malformed escape in the path');
  const bytes = rawPath.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function send(outgoing: ServerResponse, reply: ConsulReply): void {
  if (outgoing.destroyed) return;
  outgoing.writeHead(reply.status, { Vary: 'Accept-Encoding', ...reply.headers });
  outgoing.end(reply.body);
}
