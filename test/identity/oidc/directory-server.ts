import { createServer, type IncomingMessage } from 'node:http';

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent unchanged. */
  readonly body?: string | Buffer;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Closes the connection after the headers and half of the body. */
  readonly cutOff?: boolean;
  /** Never answers. */
  readonly silent?: boolean;
}

export interface DirectoryServer {
  readonly origin: string;
  /** Each request as `METHOD path`, oldest first. */
  readonly seen: { readonly line: string; readonly headers: IncomingMessage['headers'] }[];
  answer: (path: string, headers: IncomingMessage['headers']) => ScriptedAnswer;
  close(): Promise<void>;
}

/** An HTTP server that answers what the test says. */
export async function startDirectoryServer(): Promise<DirectoryServer> {
  const server = createServer((request, response) => {
    self.seen.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    const {
      status = 200,
      headers = {},
      body,
      json,
      cutOff,
      silent,
    } = self.answer(request.url ?? '', request.headers);
    if (silent) return;
    const bytes = Buffer.from(json === undefined ? (body ?? '') : JSON.stringify(json));
    if (status === 304 || status === 204) {
      response.writeHead(status, headers).end();
      return;
    }
    response.writeHead(status, { 'content-length': String(bytes.length), ...headers });
    if (!cutOff) {
      response.end(bytes);
      return;
    }
    response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const self: DirectoryServer = {
    origin: `http://127.0.0.1:${port}`,
    seen: [],
    answer: () => ({ status: 404 }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
