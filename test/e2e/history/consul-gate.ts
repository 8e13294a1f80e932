import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { freePort } from '../../stack/ports.js';
import { bodyOf, listen } from '../passing.js';

/** A proxy in front of Consul that knows what its client has received, so that a test can wait until a change was seen. */
export interface ConsulGate {
  /** `http://HOST:PORT` */
  readonly address: string;
  /** Counts up with every request and every answer, those of blocking queries too. */
  readonly activity: number;
  /** Requests without an answer yet, blocking queries apart. */
  readonly underWay: number;
  /** Lists of which a blocking query told news that the client has not read yet: it rests between two reads. */
  readonly unread: number;
  /** How many writes of intentions Consul accepted. */
  readonly intentionWrites: number;
  /** The newest index with which a blocking query of this path was answered; 0 before the first. */
  seen(path: string): number;
  /** The last requests, with the index of their answer, to find out what went wrong. */
  readonly recent: readonly string[];
  stop(): Promise<void>;
}

const MAX_RECENT = 60;
/** The client reads each of them again, by this path too, after an answer with another index. */
const READ_AGAIN: ReadonlySet<string> = new Set([
  '/v1/config/service-intentions',
  '/v1/config/service-defaults',
  '/v1/config/proxy-defaults',
  '/v1/catalog/services',
]);

export async function startConsulGate(target: string): Promise<ConsulGate> {
  const { hostname, port: targetPort } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const seen = new Map<string, number>();
  /** The index of the news, by path. */
  const unread = new Map<string, string>();
  const recent: string[] = [];
  const counts = { activity: 0, underWay: 0, intentionWrites: 0 };

  const carry = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const url = new URL(path, target);
    // What a client does not yet know it asks for without an index, and such a query does not wait.
    const isWatch = url.searchParams.has('wait');
    const isIntentions = /^\/v1\/config(\/service-intentions\b|$)/.test(url.pathname);
    counts.activity++;
    if (!isWatch) counts.underWay++;
    const covered = unread.get(url.pathname);
    try {
      const body = await bodyOf(incoming);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = request({ host: hostname, port: targetPort, method, path, headers, agent }, resolve);
        outgoing.on('error', reject);
        answer.on('close', () => {
          if (!answer.writableFinished) outgoing.destroy();
        });
        outgoing.end(body);
      });
      const content = await bodyOf(response);
      const index = String(response.headers['x-consul-index'] ?? '');
      if (isWatch && READ_AGAIN.has(url.pathname) && response.statusCode === 200) {
        // Before the answer, which the client may act on at once.
        if (index !== url.searchParams.get('index')) unread.set(url.pathname, index);
      }
      answer.writeHead(response.statusCode ?? 502, response.headers);
      await new Promise<void>((resolve) => answer.end(content, resolve));
      if (method !== 'GET' && isIntentions && content.toString('utf8').trim() === 'true')
        counts.intentionWrites++;
      const at = new Date().toISOString().slice(14);
      recent.push(`${at} ${method} ${path} ${response.statusCode} ${index}`);
      recent.splice(0, recent.length - MAX_RECENT);
      if (isWatch) seen.set(url.pathname, Number(index));
      else if (response.statusCode === 200 && unread.get(url.pathname) === covered)
        unread.delete(url.pathname);
    } catch {
      answer.destroy();
    } finally {
      counts.activity++;
      if (!isWatch) counts.underWay--;
    }
  };
  const server = createServer((incoming, answer) => {
    answer.on('error', () => {});
    void carry(incoming, answer);
  });
  const port = await freePort();
  await listen(server, port);
  return {
    address: `http://127.0.0.1:${port}`,
    get activity() {
      return counts.activity;
    },
    get underWay() {
      return counts.underWay;
    },
    get unread() {
      return unread.size;
    },
    get intentionWrites() {
      return counts.intentionWrites;
    },
    recent,
    seen: (path) => seen.get(path) ?? 0,
    async stop() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
