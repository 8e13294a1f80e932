import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { type ConsulPlace, callConsul } from './consul-api.js';
import type { IntentionWatch } from './intention-watch.js';
import { listenOnFreePort } from './ports.js';
import { CALLER_HEADER, closeAll } from './upstreams.js';

export interface Sidecars {
  /** `http://127.0.0.1:PORT` by the name of the source. */
  readonly callers: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const UPSTREAM_TIMEOUT_MS = 10_000;
/** Headers that end at each hop (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const INSTANCES = z.array(
  z.object({ Address: z.string(), ServiceAddress: z.string(), ServicePort: z.number() }),
);

/**
 * Replaces the Envoy proxies: one listener for each source. `/orders/v1/orders` at the listener of `web` means that
 * `web` calls `/v1/orders` of `orders`. A call that an intention forbids gets a 403 with Envoy's text, or with tcp a
 * closed connection. Unlike Envoy, it verifies no identity: only the port says who calls.
 */
export async function startSidecars(
  options: {
    readonly sources: readonly { readonly name: string; readonly preferredPort: number }[];
    readonly consul: ConsulPlace;
    readonly watch: IntentionWatch;
  },
  signal: AbortSignal,
): Promise<Sidecars> {
  const servers: Server[] = [];
  const callers: Record<string, string> = {};
  for (const { name, preferredPort } of options.sources) {
    const server = createServer((incoming, outgoing) => {
      serve(name, incoming, outgoing).catch((error: unknown) => {
        if (outgoing.headersSent) outgoing.destroy();
        else answer(outgoing, 503, error instanceof Error ? error.message : 'upstream failure');
      });
    });
    servers.push(server);
    callers[name] = `http://127.0.0.1:${await listenOnFreePort(server, preferredPort)}`;
  }
  return { callers, close: () => closeAll(servers) };

  async function serve(source: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    // The URL class resolves dots in paths, so the path that is checked is the path that is sent.
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const [, destination = '', rest = ''] = /^\/([^/]*)(\/.*)?$/.exec(url.pathname) ?? [];
    const path = rest === '' ? '/' : rest;
    if (destination === '') {
      answer(
        outgoing,
        404,
        `this is the sidecar of ${source}; request /<service>/<path>, for example /orders/v1/orders`,
      );
      return;
    }
    const { watch } = options;
    const method = incoming.method ?? 'GET';
    const verdict = watch.judge({ source, destination, method, path, headers: flat(incoming) });
    if (!verdict.isAllowed) {
      if (watch.protocolOf(destination) === 'tcp') incoming.socket.destroy();
      else answer(outgoing, 403, `RBAC: access denied\n${verdict.reason}`);
      return;
    }
    const place = await find(destination);
    if (place === undefined)
      answer(outgoing, 503, `no healthy upstream: ${destination} is not in the catalog`);
    else await forward(source, { ...place, path: `${path}${url.search}` }, incoming, outgoing);
  }

  async function find(serviceName: string): Promise<{ host: string; port: number } | undefined> {
    const path = `/v1/catalog/service/${encodeURIComponent(serviceName)}`;
    const { json } = await callConsul(options.consul, { path }, signal);
    const [first] = INSTANCES.parse(json);
    return first && { host: first.ServiceAddress || first.Address, port: first.ServicePort };
  }
}

function forward(
  source: string,
  to: { readonly host: string; readonly port: number; readonly path: string },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => !HOP_BY_HOP.has(name) && name !== CALLER_HEADER),
    );
    const upstream = request(
      {
        ...to,
        method: incoming.method,
        headers: { ...headers, [CALLER_HEADER]: source },
        timeout: UPSTREAM_TIMEOUT_MS,
      },
      (response) => {
        const back = Object.entries(response.headers).filter(([name]) => !HOP_BY_HOP.has(name));
        outgoing.writeHead(response.statusCode ?? 502, Object.fromEntries(back));
        response.pipe(outgoing);
        response.once('end', resolve);
        response.once('error', reject);
      },
    );
    upstream.once('timeout', () => upstream.destroy(new Error('upstream request timeout')));
    upstream.once('error', () => reject(new Error('upstream connect error')));
    outgoing.once('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
}

function flat(incoming: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value = '']) => [name, [value].flat().join(',')]),
  );
}

function answer(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, { 'content-type': 'text/plain', server: 'scopemesh-demo' }).end(`${text}\n`);
}
