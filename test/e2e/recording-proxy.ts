import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import { freePort } from '../stack/ports.js';
import { bodyOf, listen, pass } from './passing.js';

/** A request that could change something in Consul, with what Consul answered. */
export interface RecordedWrite {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: string;
  /** 0 if no answer came. */
  readonly status: number;
  readonly answer: string;
  /** `performance.now()` at which the answer had come. */
  readonly at: number;
}

/**
 * What happens to a request instead. With a `status` it does not reach Consul and is answered so. `cutAfter`: it reaches
 * Consul, and the connection breaks before its answer comes back. `headers` alone replace those of Consul's answer.
 */
export interface Interference {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cutAfter?: boolean;
}

export interface RecordingProxy {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  /** Every write so far, in the order of the answers. */
  readonly writes: readonly RecordedWrite[];
  /** Those that Consul accepted (200, `true`). */
  accepted(): readonly RecordedWrite[];
  /** Resolves when the next write has come whole (`arrived`), or when Consul has answered it (`answered`). */
  next(stage: 'arrived' | 'answered'): Promise<void>;
  /** Swallows every further write, as a connection does that breaks on the way; returns what ends that. */
  lose(): () => void;
  /** Holds every further write back before it reaches Consul; returns what lets them go on. */
  hold(): () => void;
  /** Asked about every request; undefined lets it pass. */
  interfere: (request: { readonly method: string; readonly path: string }) => Interference | undefined;
  /** How many requests met an interference. */
  readonly interfered: number;
  /** How many writes are held back now. */
  readonly held: number;
  stop(): Promise<void>;
}

/** Who leads, whether a watch lives, and the note of the log: not what a test of the mesh's writes records or holds back. */
function isHousekeeping(path: string): boolean {
  return /^\/v1\/(session\/|kv\/scopemesh\/[^/]+\/(leader|cluster|log)\b)/.test(path);
}

/**
 * A proxy in front of Consul. A write that arrived completely reaches Consul and is recorded, even if its sender dies before
 * the answer; reads pass through, blocking queries too.
 */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const port = await freePort();
  const { hostname, port: targetPort } = new URL(target);
  const writes: RecordedWrite[] = [];
  let gate: Promise<void> | undefined;
  let held = 0;
  let isLosing = false;
  let interfered = 0;
  const stages = new EventEmitter();
  stages.setMaxListeners(0);

  const write = async (incoming: IncomingMessage, answer: ServerResponse, met: Interference | undefined) => {
    const body = await bodyOf(incoming);
    const isLost = isLosing;
    stages.emit('arrived');
    if (isLost) return;
    if (met?.status !== undefined) {
      answer.writeHead(met.status, met.headers).end('refused by the test');
      return;
    }
    if (gate !== undefined) {
      held++;
      await gate;
      held--;
    }
    const { method = 'PUT', url: path = '/' } = incoming;
    const options = { host: hostname, port: targetPort, method, path, headers: incoming.headers };
    const { status, text, headers } = await new Promise<{
      status: number;
      text: string;
      headers: IncomingMessage['headers'];
    }>((resolve) => {
      const outgoing = send(options, (response) => {
        bodyOf(response).then(
          (content) =>
            resolve({
              status: response.statusCode ?? 0,
              text: content.toString('utf8'),
              headers: response.headers,
            }),
          () => resolve({ status: 0, text: '', headers: {} }),
        );
      });
      outgoing.once('error', () => resolve({ status: 0, text: '', headers: {} }));
      outgoing.end(body);
    });
    writes.push({
      method,
      path,
      body: body.toString('utf8'),
      status,
      answer: text.trim(),
      at: performance.now(),
    });
    stages.emit('answered');
    if (status === 0 || met?.cutAfter === true) answer.destroy();
    else answer.writeHead(status, headers).end(text);
  };
  const server = createServer((incoming, answer) => {
    answer.on('error', () => {});
    const { method = 'GET', url: path = '/' } = incoming;
    const met = self.interfere({ method, path });
    if (met !== undefined) interfered++;
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isRead && !isHousekeeping(path)) write(incoming, answer, met).catch(() => answer.destroy());
    else if (met?.status !== undefined) answer.writeHead(met.status, met.headers).end('refused by the test');
    else pass(incoming, answer, target, path, met?.headers);
  });
  await listen(server, port);
  const self: RecordingProxy = {
    address: `http://127.0.0.1:${port}`,
    writes,
    accepted: () => writes.filter(({ status, answer }) => status === 200 && answer === 'true'),
    async next(stage) {
      await once(stages, stage);
    },
    lose() {
      isLosing = true;
      return () => {
        isLosing = false;
      };
    },
    hold() {
      let release = () => {};
      gate = new Promise((resolve) => {
        release = () => {
          gate = undefined;
          resolve();
        };
      });
      return release;
    },
    interfere: () => undefined,
    get interfered() {
      return interfered;
    },
    get held() {
      return held;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}
