import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { Consul } from '../../../src/consul/consul.js';
import { createHttpConsul, type HttpConsulOptions } from '../../../src/consul/http/http-consul.js';
import type { SyncError } from '../../../src/errors.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import { failureOf as plainFailureOf } from '../../support/failure-of.js';

export interface Exchange {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse;
  /** A well-formed answer with Consul's headers; `headers` replace them. */
  reply(status: number, body: unknown, headers?: Record<string, string | undefined>): void;
}

export interface FaultServer {
  readonly address: string;
  /** Every request so far, `GET /v1/…`. */
  readonly seen: readonly string[];
  close(): Promise<void>;
}

export const CONSUL_HEADERS = { 'X-Consul-Index': '10', 'X-Consul-KnownLeader': 'true' } as const;

/** An HTTP server that answers as a test wants it to, sick answers above all. */
export async function startFaultServer(
  answer: (exchange: Exchange) => void,
  place: { readonly host?: string; readonly path?: string } = { host: '127.0.0.1' },
): Promise<FaultServer> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const target = request.url ?? '/';
      const method = request.method ?? 'GET';
      // A new connection is tried out so.
      if (target.endsWith('/v1/status/leader')) return void response.end('""');
      seen.push(`${method} ${target}`);
      answer({
        method,
        target,
        url: new URL(target, 'http://consul'),
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        response,
        reply(status, body, headers = {}) {
          for (const [name, value] of Object.entries({ ...CONSUL_HEADERS, ...headers })) {
            if (value !== undefined) response.setHeader(name, value);
          }
          response.statusCode = status;
          response.end(typeof body === 'string' ? body : JSON.stringify(body));
        },
      });
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) =>
    server.listen(place.path === undefined ? { port: 0, ...place } : place, resolve),
  );
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address:
      place.path === undefined
        ? `http://${place.host?.includes(':') === true ? `[${place.host}]` : place.host}:${port}`
        : `unix://${place.path}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

export const ACL_TOKEN = 'b1gs3cr3t-0000-1111-2222-333344445555';

export function connect(address: string, options: Partial<HttpConsulOptions> = {}): Consul {
  return createHttpConsul({
    address,
    token: new Secret(ACL_TOKEN),
    owner: 'payments',
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
    ...options,
  });
}

/** The adapter against a server that answers so, until the test has ended. */
export async function against(
  answer: (exchange: Exchange) => void,
  options: Partial<HttpConsulOptions> = {},
): Promise<{ consul: Consul; seen: readonly string[] }> {
  const server = await startFaultServer(answer);
  onTestFinished(server.close);
  const consul = connect(server.address, options);
  onTestFinished(() => consul.close());
  return { consul, seen: server.seen };
}

/** The error of ours with which it fails; nowhere in it may the ACL token stand. */
export async function failureOf(promise: Promise<unknown>): Promise<SyncError> {
  const failure = await plainFailureOf(promise);
  assertNoSecret(inspect(failure, { depth: 10, showHidden: true }), [ACL_TOKEN]);
  return failure;
}
