import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly body: string;
}

/** What the proxy does instead of passing a request on; `cut` passes it on and destroys the answer. */
export type Interference =
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  | 'cut'
  | 'drop'
  | undefined;

/** A reverse proxy before Consul that keeps a record of writes, and interferes where a test says so. */
export interface ConsulProxy {
  readonly address: string;
  /** Writes of config entries and KV, transactions too, that came through, oldest first; without lease and log note. */
  readonly writes: ProxiedRequest[];
  /** Without those of the lease. */
  readonly requests: string[];
  interfere: (request: ProxiedRequest) => Interference | Promise<Interference>;
  close(): Promise<void>;
}

export async function startConsulProxy(upstream: string): Promise<ConsulProxy> {
  const server = createServer((incoming, response) => {
    void pass(incoming, response);
  });
  const pass = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks);
    const asked = { method: incoming.method ?? 'GET', target: incoming.url ?? '/', body: body.toString() };
    const isLease = /^\/v1\/(session\/|kv\/scopemesh\/[^/]+\/(leader|cluster)\b)/.test(asked.target);
    if (!isLease) self.requests.push(`${asked.method} ${asked.target}`);
    const interference = await self.interfere(asked);
    if (interference === 'drop') {
      incoming.socket.destroy();
      return;
    }
    if (typeof interference === 'object') {
      response.writeHead(interference.status, { 'X-Consul-Index': '1', ...interference.headers });
      response.end(interference.body ?? '');
      return;
    }
    const isRecord = /^\/v1\/kv\/scopemesh\/[^/]+\/log\b/.test(asked.target);
    if (asked.method !== 'GET' && !isLease && !isRecord && /^\/v1\/(config|kv|txn)\b/.test(asked.target))
      self.writes.push(asked);
    const onward = request(
      upstream + asked.target,
      { method: asked.method, headers: { ...incoming.headers, host: new URL(upstream).host } },
      (answer) => {
        if (interference === 'cut') {
          answer.resume();
          incoming.socket.destroy();
          return;
        }
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => incoming.socket.destroy());
    response.on('close', () => onward.destroy());
    onward.end(body);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const self: ConsulProxy = {
    address: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    writes: [],
    requests: [],
    interfere: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
