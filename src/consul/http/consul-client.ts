import { EventEmitter } from 'node:events';
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Writable } from 'node:stream';
import type Consul from 'consul';
import type { HttpAnswer } from '../../http-exchange.js';
import { definedFields } from '../../model/defined-fields.js';
import { parseAddress } from './address.js';
import { toTenancyQuery } from './place.js';
import { failureOf, refusalOf, type Sent, timeoutOf, tooLongOf } from './refusal.js';
import type { Operation } from './request.js';
import { MAX_HEADER_BYTES, type TransportOptions, toTlsOptions } from './transport.js';

/** The part of the npm package `consul` that scopemesh uses. Its own types lack options. */
export interface ConsulApi {
  readonly session: {
    create(options: object): Promise<unknown>;
    renew(options: object): Promise<unknown>;
    destroy(options: object): Promise<unknown>;
  };
  readonly kv: {
    get(options: object): Promise<unknown>;
    set(options: object): Promise<unknown>;
  };
}

interface CallOptions {
  readonly operation: Operation;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** 200 alone by default. */
  readonly expected?: readonly number[];
}

/** The sessions and the key of the lease. */
export interface ConsulClient {
  /**
   * One call of the package's API, with the options that `ask` gets and must pass on. Resolves and throws as `Transport.send`
   * does; the answer is whole and unparsed.
   */
  call(
    options: CallOptions,
    ask: (
      api: ConsulApi,
      options: { readonly ctx: EventEmitter; readonly timeout: number },
    ) => Promise<unknown>,
  ): Promise<HttpAnswer>;
  close(): Promise<void>;
}

type ConsulClientOptions = Omit<TransportOptions, 'requestTimeoutMs' | 'mayWrite' | 'logger'>;

/**
 * The package sends its requests itself, on kept-alive connections that nothing else uses: reads and writes of entries cannot
 * keep the lease waiting. The body goes to a stream of ours, because the package has no limit for an answer, and waits until
 * its timeout for the rest of one that was cut off.
 */
export function createConsulClient(options: ConsulClientOptions): ConsulClient {
  const { clock, metrics, datacenter, token } = options;
  const aclToken = token === undefined || token.isEmpty ? undefined : token;
  // Only who leads needs it, and it takes long to load.
  let opened: Promise<Consul> | undefined;
  const open = async () => {
    const { default: Package } = await import('consul');
    const client = new Package(toSettings(options));
    beforeEach(client, ({ query, headers }) => {
      Object.assign(query, toTenancyQuery(options), definedFields({ dc: datacenter }));
      if (aclToken !== undefined) headers['x-consul-token'] = aclToken.reveal();
    });
    return client;
  };
  return {
    async call({ operation, signal, timeoutMs, expected = [200] }, ask) {
      opened ??= open();
      const client = await opened;
      signal.throwIfAborted();
      const call = new Call(options.maxBytes);
      const stop = () => call.stop();
      signal.addEventListener('abort', stop, { once: true });
      const startedAt = clock.now();
      let result = '';
      try {
        // The package throws for each status that is not a success.
        const error = await ask(client, { ctx: call, timeout: timeoutMs }).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        signal.throwIfAborted();
        const { answer, status } = call;
        const sent: Sent = { operation, method: call.method };
        if (answer !== undefined && expected.includes(answer.status)) {
          result = String(status);
          return answer;
        }
        const failure =
          answer !== undefined
            ? refusalOf(sent, answer.status, answer.body, aclToken)
            : call.isTooLong
              ? tooLongOf(operation, options.maxBytes)
              : isTimeout(error)
                ? timeoutOf(sent, timeoutMs)
                : failureOf(sent, options.address, status, error);
        result = failure.code;
        throw failure;
      } finally {
        signal.removeEventListener('abort', stop);
        if (result !== '') metrics.count('scopemesh_consul_requests_total', { operation, result });
        metrics.time('scopemesh_consul_request_seconds', (clock.now() - startedAt) / 1000, { operation });
      }
    },
    async close() {
      (await opened)?.destroy();
    },
  };
}

function toSettings({ address, tls }: ConsulClientOptions) {
  const { origin, prefix, socketPath } = parseAddress(address);
  const { protocol, hostname } = new URL(origin);
  // The package takes the brackets of an IPv6 address for a part of the name.
  const host = socketPath === undefined ? hostname.replace(/[[\]]/g, '') : undefined;
  const connecting = { keepAlive: true, ...definedFields({ host }), ...toTlsOptions(tls) };
  return {
    baseUrl: `${origin}${prefix}/v1`,
    agent: protocol === 'https:' ? new HttpsAgent(connecting) : new HttpAgent(connecting),
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: { accept: 'application/json', 'user-agent': null },
    ...definedFields({ socketPath }),
  };
}

interface Prepared {
  readonly method: Sent['method'];
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  pipe?: Writable;
}

/** The package has no option for a namespace, and would keep a token of its options where an error may show it. */
function beforeEach(client: Consul, prepare: (request: Prepared) => void): void {
  if (!('_ext' in client) || typeof client._ext !== 'function')
    throw new Error('the package consul has no extensions');
  client._ext('onCreate', ({ ctx, opts }: { readonly ctx?: unknown; opts: Prepared }, next: () => void) => {
    if (!(ctx instanceof Call)) throw new Error('a call of the package consul without its options');
    ctx.method = opts.method;
    opts.pipe = ctx.body;
    prepare(opts);
    next();
  });
}

/** One call. The package ends its request on the event `cancel`. */
class Call extends EventEmitter {
  method: Sent['method'] = 'GET';
  isTooLong = false;
  readonly body: Writable;
  readonly #chunks: Buffer[] = [];
  #response: IncomingMessage | undefined;

  constructor(maxBytes: number) {
    super();
    let size = 0;
    this.body = new Writable({
      write: (chunk: Buffer, _, done) => {
        size += chunk.byteLength;
        if (size > maxBytes) {
          this.isTooLong = true;
          this.stop();
        } else this.#chunks.push(chunk);
        done();
      },
    });
    this.body.once('pipe', (response: IncomingMessage) => {
      this.#response = response;
      response.once('close', () => response.complete || this.stop());
    });
  }

  /** Undefined until it is whole. */
  get answer(): HttpAnswer | undefined {
    const response = this.#response;
    if (response?.complete !== true || this.isTooLong) return undefined;
    const headers = Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
    );
    return { status: response.statusCode ?? 0, headers, body: new Uint8Array(Buffer.concat(this.#chunks)) };
  }

  /** Set when the answer begins. */
  get status(): number | undefined {
    return this.#response?.statusCode;
  }

  stop(): void {
    this.emit('cancel');
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'isTimeout' in error;
}
