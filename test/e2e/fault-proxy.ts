import { createServer, type ServerResponse } from 'node:http';
import { freePort } from '../stack/ports.js';
import { listen, pass } from './passing.js';

/**
 * What the proxy does to the Admin API of Keycloak. `empty`: lists answer 200 with nothing in them, and one client
 * is not found. `secondPageFails`: lists of clients end after three, and what comes after them answers 500.
 * `secondPageCut`: the same, but the second page breaks off. `hang`: no answer.
 */
export type Fault =
  | 'none'
  | 'empty'
  | 'secondPageFails'
  | 'secondPageCut'
  | 'status500'
  | 'status401'
  | 'hang';

export interface FaultProxy {
  /** `http://127.0.0.1:PORT`; Keycloak in its development mode takes it for its own address. */
  readonly address: string;
  /** Every request to the Admin API that comes from now on meets this fault; the counts restart at 0. */
  set(fault: Fault): void;
  /** Requests that met the fault: of lists of clients (complete reads), and of one client. */
  readonly met: { readonly lists: number; readonly singles: number };
  stop(): Promise<void>;
}

const SHORT_PAGE = '3';

/** A proxy in front of Keycloak. It always passes token requests; it injects faults only into the Admin API. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const port = await freePort();
  let fault: Fault = 'none';
  let met = { lists: 0, singles: 0 };

  const server = createServer((incoming, answer) => {
    answer.on('error', () => {});
    const url = new URL(incoming.url ?? '/', target);
    const [, realmPath] = /^\/admin\/realms\/[^/]+(.*)$/.exec(url.pathname) ?? [];
    if (fault === 'none' || realmPath === undefined) return pass(incoming, answer, target);
    const isList = realmPath === '/clients' && url.searchParams.has('first');
    const isSingle = realmPath.startsWith('/clients') && !isList;
    if (isSingle) met.singles++;
    switch (fault) {
      case 'secondPageFails':
      case 'secondPageCut':
        if (!isList) return pass(incoming, answer, target);
        if (url.searchParams.get('first') === '0') {
          url.searchParams.set('max', SHORT_PAGE);
          return pass(incoming, answer, target, url.pathname + url.search);
        }
        met.lists++;
        if (fault === 'secondPageFails') return reply(answer, 500, { error: 'unknown_error' });
        answer.writeHead(200, { 'content-type': 'application/json', 'content-length': '4096' });
        answer.write('[{"id":"');
        return void setImmediate(() => answer.destroy());
      case 'empty': {
        if (isList) met.lists++;
        // The realm itself is no list; it passes, so that only the emptiness is in question.
        if (realmPath === '' || realmPath === '/events/config') return pass(incoming, answer, target);
        const isOne = /^\/(clients|users)\/[^/]+$/.test(realmPath);
        return isOne ? reply(answer, 404, { error: 'Could not find client' }) : reply(answer, 200, []);
      }
      case 'status500':
        if (realmPath === '' || isList) met.lists++;
        return reply(answer, 500, { error: 'unknown_error' });
      case 'status401':
        if (realmPath === '' || isList) met.lists++;
        return reply(answer, 401, { error: 'HTTP 401 Unauthorized' });
      case 'hang':
        if (realmPath === '' || isList) met.lists++;
        return;
    }
  });
  await listen(server, port);
  return {
    address: `http://127.0.0.1:${port}`,
    set(next) {
      fault = next;
      met = { lists: 0, singles: 0 };
      // What hangs is answered by nobody any more.
      if (next === 'none') server.closeAllConnections();
    },
    get met() {
      return met;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(answer: ServerResponse, status: number, body: unknown): void {
  answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
