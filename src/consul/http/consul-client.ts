import { EventEmitter } from 'node:events';
import Consul from 'consul';
import type { HttpAnswer } from '../../http-exchange.js';
import { definedFields } from '../../model/defined-fields.js';
import { incomplete } from '../reader.js';
import { readComplete } from './answer.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** The part of the npm package `consul` that scopemesh uses. Its own types lack options, and trust what Consul answers. */
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
  readonly transaction: {
    create(operations: readonly object[], options: object): Promise<unknown>;
  };
}

export interface CallOptions {
  readonly operation: Operation;
  readonly signal: AbortSignal;
  /** 200 alone by default. */
  readonly expected?: readonly number[];
  /** By default the timeout of the transport. */
  readonly timeoutMs?: number | undefined;
}

type Answer = Pick<HttpAnswer, 'status' | 'body'>;

export interface CallResult {
  readonly answer: Answer;
  /** What the package read in the answer; undefined for an expected status that is not a success. */
  readonly value: unknown;
}

/** Sessions, KV and transactions of Consul. */
export interface ConsulClient {
  readonly tenancy: Tenancy;
  /** For lists, of which the package keeps the whole answer. */
  readonly transport: Transport;
  /**
   * One call of the package's API, with the options that `ask` gets and must pass on. Throws as `Transport.send` does, for
   * a read as `readComplete`, and ERR_CONSUL_INCOMPLETE if the package cannot read the answer.
   */
  call(
    options: CallOptions,
    ask: (api: ConsulApi, options: { readonly ctx: EventEmitter }) => Promise<unknown>,
  ): Promise<CallResult>;
}

/**
 * The package builds each request and reads its answer; the transport of all other calls sends it. The package's own (papi)
 * has no limit for an answer, waits for the rest of one that was cut off until its timeout, keeps the ACL token in its errors,
 * and ends the process on a list of keys with a null in it.
 */
export function createConsulClient(transport: Transport): ConsulClient {
  const client = new Consul();
  sendBy(client, (sent, options) => exchange(transport, sent, options));
  const api: ConsulApi = client;
  return {
    tenancy: transport.tenancy,
    transport,
    async call(options, ask) {
      const call = new Call(options);
      const value = await Promise.race([ask(api, { ctx: call }), call.failed]).catch((error: unknown) => {
        // The package throws for each status that is not a success.
        if (call.isFailed || call.answer === undefined) throw error;
        if (call.answer.status < 300) throw unreadable(options.operation);
      });
      if (call.answer === undefined) throw unreadable(options.operation);
      return { answer: call.answer, value };
    },
  };
}

interface Sent {
  readonly method: 'GET' | 'PUT';
  /** With its query. */
  readonly path: string;
  readonly body: string | undefined;
}

async function exchange(
  transport: Transport,
  { method, path, body }: Sent,
  { operation, signal, expected, timeoutMs }: CallOptions,
): Promise<Answer> {
  const [encoded = '', search] = path.split('?');
  // In a transaction each operation has its place.
  const place = encoded === '/v1/txn' ? {} : toTenancyQuery(transport.tenancy);
  const request = {
    operation,
    // A proxy may refuse an encoded slash, as the package writes those of a key.
    path: encoded.startsWith('/v1/kv/') ? encoded.replaceAll('%2F', '/') : encoded,
    query: { ...place, ...Object.fromEntries(new URLSearchParams(search)) },
    ...definedFields({ body, timeoutMs }),
  };
  return method === 'GET'
    ? readComplete(transport, request, signal, expected)
    : transport.send({ ...request, method }, signal, expected);
}

/** One call, in the place of the emitter by which papi cancels a request. */
class Call extends EventEmitter {
  readonly options: CallOptions;
  answer: Answer | undefined;
  isFailed = false;
  /** Only rejects. */
  readonly failed: Promise<never>;
  #reject: (reason: unknown) => void = () => {};

  constructor(options: CallOptions) {
    super();
    this.options = options;
    this.failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
  }

  /** Past papi, which rewrites the message of an error. */
  fail(reason: unknown): void {
    this.isFailed = true;
    this.#reject(reason);
  }
}

type Send = (sent: Sent, options: CallOptions) => Promise<Answer>;

/** Papi calls an extension before each request; `transport` is where it would have put `node:http`. */
function sendBy(client: Consul, send: Send): void {
  if (!('_ext' in client) || typeof client._ext !== 'function')
    throw new Error('the package consul has no extensions');
  client._ext('onRequest', (request: { readonly ctx?: unknown; transport: unknown }, next: () => void) => {
    const call = request.ctx;
    if (!(call instanceof Call)) throw new Error('a call of the package consul without its options');
    request.transport = {
      request: ({ method, path }: Omit<Sent, 'body'>) =>
        new CarriedRequest(call, (body) => send({ method, path, body }, call.options)),
    };
    next();
  });
}

/** What papi needs of an `http.ClientRequest`. */
class CarriedRequest extends EventEmitter {
  readonly #call: Call;
  readonly #send: (body: string | undefined) => Promise<Answer>;

  constructor(call: Call, send: (body: string | undefined) => Promise<Answer>) {
    super();
    this.#call = call;
    this.#send = send;
  }

  /** No header comes from papi. */
  getHeader(): string {
    return '';
  }

  end(body: Buffer | undefined): void {
    void this.#carry(body?.toString('utf8')).catch((error: unknown) => this.#call.fail(error));
  }

  async #carry(body: string | undefined): Promise<void> {
    const call = this.#call;
    const answer = await this.#send(body);
    call.answer = answer;
    const response = Object.assign(new EventEmitter(), {
      statusCode: answer.status,
      headers: { 'content-type': 'application/json' },
    });
    try {
      this.emit('response', response);
      response.emit('data', Buffer.from(answer.body));
      response.emit('end');
    } catch {
      // The package reads some answers without a check of their shape.
      throw unreadable(call.options.operation);
    }
  }
}

function unreadable(operation: Operation) {
  return incomplete(operation, 'the answer cannot be read');
}
