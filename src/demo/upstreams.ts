import { createServer, type Server } from 'node:http';
import { closeServer } from '../embedded/listen.js';
import type { DemoService } from './mesh.js';
import { listenOnFreePort } from './ports.js';

export interface Upstreams {
  /** The port of each service, by its name. */
  readonly ports: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** Names the caller in the answers. Only the sidecar sets it. */
export const CALLER_HEADER = 'x-demo-caller';

/** The services: each answers every request with a little JSON, without any check. */
export async function startUpstreams(services: readonly DemoService[]): Promise<Upstreams> {
  const servers: Server[] = [];
  const ports = new Map<string, number>();
  await Promise.all(
    services.map(async ({ name, answers = {} }) => {
      const server = createServer((request, response) => {
        request.resume();
        const path = new URL(request.url ?? '/', 'http://localhost').pathname;
        const answer = answers[path];
        const body = {
          service: name,
          caller: request.headers[CALLER_HEADER],
          request: `${request.method} ${request.url}`,
          ...(answer === undefined ? {} : { answer }),
        };
        response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
      });
      servers.push(server);
      ports.set(name, await listenOnFreePort(server, 0));
    }),
  );
  return { ports, close: () => closeAll(servers) };
}

export async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map(closeServer));
}
