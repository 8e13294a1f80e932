import { SyncError } from '../../errors.js';
import { type HttpAnswer, HttpExchange } from '../../http-exchange.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Secret } from '../../model/secret.js';
import type { Runtime } from '../../runtime.js';
import { parseAddress } from './address.js';
import { Connections, type Use } from './connections.js';
import type { Tenancy } from './place.js';
import { failureOf, refusalOf, timeoutOf, tooLongOf } from './refusal.js';
import type { ConsulRequest, Operation } from './request.js';

export interface Transport {
  /**
   * One exchange with Consul. Resolves with a status in `expected` (200 by default) and the whole body; throws
   * ERR_CONSUL_DENIED, ERR_CONSUL_UNREACHABLE, ERR_CONSUL_REJECTED (writes alone), ERR_TIMEOUT,
   * ERR_CONSUL_INCOMPLETE (a body cut off or too long), or the signal's reason when aborted. A body that the request's sink
   * takes is not in the answer.
   */
  send(request: ConsulRequest, signal: AbortSignal, expected?: readonly number[]): Promise<HttpAnswer>;
  /** Where every list is read. */
  readonly tenancy: Tenancy;
  /** Whether an ACL token goes with each request. */
  readonly hasAclToken: boolean;
  /** The longest entry that is read, and the longest answer without a sink. */
  readonly maxBytes: number;
  close(): Promise<void>;
}

export interface TransportOptions extends Tenancy, Pick<Runtime, 'clock' | 'metrics' | 'logger'> {
  /** As `parseAddress` takes it. */
  readonly address: string;
  /** Absent if Consul has no ACLs. If it has ACLs, reads without a token throw ERR_CONSUL_DENIED. */
  readonly token?: Secret | undefined;
  readonly datacenter?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  readonly requestTimeoutMs: number;
  /** Asked in the turn in which a request is written that changes anything but the cluster's ID. False: it is not sent, and ERR_TIMEOUT. */
  readonly mayWrite?: (() => boolean) | undefined;
  /** The longest entry of a list that is read, and the longest answer that is no list. */
  readonly maxBytes: number;
}

/** Contents, not paths. */
export interface TlsFiles {
  readonly ca?: Buffer | string;
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  readonly serverName?: string;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** The connections end by themselves. */
const KEEP_ALIVE_MS = 600_000;
/** So many timeouts until something of a list arrives, and between its parts. */
const LIST_PATIENCE = 3;
/** A list that arrives slowly may take so many of these as a whole. */
const MAX_LIST_TIMEOUTS = 30;
export const MAX_HEADER_BYTES = 32 * 1024;

/** Kept-alive connections, with one policy for timeouts, sizes and errors. */
export function createTransport(options: TransportOptions): Transport {
  const { metrics, clock, requestTimeoutMs, maxBytes, partition, namespace } = options;
  const { origin, prefix, socketPath } = parseAddress(options.address);
  const client = {
    // Each exchange has its own deadline; a blocking query sends nothing for half a minute.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    connect: {
      timeout: Math.min(CONNECT_TIMEOUT_MS, requestTimeoutMs),
      ...definedFields({ socketPath }),
      ...toTlsOptions(options.tls),
    },
  };
  const connections = new Connections({ ...options, origin, prefix, client });
  const aclToken = options.token === undefined || options.token.isEmpty ? undefined : options.token;
  const headers = {
    accept: 'application/json',
    ...(aclToken === undefined ? {} : { 'x-consul-token': aclToken.reveal() }),
  };
  const headersWithBody = { ...headers, 'content-type': 'application/json' };

  const aborts = new AbortListeners();

  return {
    tenancy: { partition, namespace },
    hasAclToken: aclToken !== undefined,
    maxBytes,
    async send(request, signal, expected = [200]) {
      signal.throwIfAborted();
      const { operation } = request;
      const timeoutMs = request.timeoutMs ?? (request.isList === true ? LIST_PATIENCE : 1) * requestTimeoutMs;
      const isGuarded = request.method !== 'GET' && !operation.startsWith('cluster.');
      const refusal = () => (isGuarded && options.mayWrite?.() === false ? unsent(operation) : undefined);
      const latest = performance.now() + MAX_LIST_TIMEOUTS * timeoutMs;
      const sink =
        request.sink &&
        ((chunk: Uint8Array) => {
          if (performance.now() > latest) throw timeoutOf(request, timeoutMs);
          timer.refresh();
          request.sink?.(chunk);
        });
      const tooLong = () => tooLongOf(operation, maxBytes);
      const exchange: HttpExchange = new HttpExchange({ maxBytes, tooLong, refusal, sink });
      const unlisten = aborts.add(signal, (reason) => exchange.fail(reason));
      const timer = setTimeout(() => exchange.fail(timeoutOf(request, timeoutMs)), timeoutMs);
      const startedAt = clock.now();
      try {
        connections.dispatch(
          useOf(operation),
          {
            path: prefix + toTarget(request, options.datacenter),
            method: request.method,
            headers: request.body === undefined ? headers : headersWithBody,
            body: request.body ?? null,
          },
          exchange,
        );
        const answer = await exchange.answer;
        const { status } = answer;
        if (!expected.includes(status)) throw refusalOf(request, status, answer.body, aclToken);
        metrics.count('scopemesh_consul_requests_total', { operation, result: String(status) });
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        const failure =
          error instanceof SyncError ? error : failureOf(request, options.address, exchange.status, error);
        metrics.count('scopemesh_consul_requests_total', { operation, result: failure.code });
        throw failure;
      } finally {
        clearTimeout(timer);
        unlisten();
        if (operation !== 'watch') {
          metrics.time('scopemesh_consul_request_seconds', (clock.now() - startedAt) / 1000, { operation });
        }
      }
    },
    async close() {
      await connections.close();
    },
  };
}

function unsent(operation: Operation): SyncError {
  const message = `Consul ${operation}: not sent, because the lease was not proven at that moment`;
  return new SyncError('ERR_TIMEOUT', message, { retriable: true });
}

/** Of one object, or of all of a kind. */
function useOf(operation: Operation): Use {
  if (/^watch(\.look)?$/.test(operation)) return 'watch';
  return /^intentions\.read$|\.(write|delete)$/.test(operation) ? 'change' : 'read';
}

export function toTlsOptions(tls: TlsFiles | undefined) {
  if (tls === undefined) return {};
  return {
    ...definedFields({ ca: tls.ca, cert: tls.cert, key: tls.key, servername: tls.serverName }),
  };
}

function toTarget(request: ConsulRequest, datacenter: string | undefined): string {
  const query = datacenter === undefined ? { ...request.query } : { ...request.query, dc: datacenter };
  const pairs = Object.entries(query).map(([name, value]) =>
    value === '' ? name : `${name}=${encodeURIComponent(value)}`,
  );
  return pairs.length === 0 ? request.path : `${request.path}?${pairs.join('&')}`;
}

type Listener = (reason: unknown) => void;

/**
 * One listener on each signal, whatever number of requests share it. A signal walks its whole list to add or to remove a
 * listener, which costs as much for each request as there are others in flight. Nothing stays in a signal without requests.
 */
export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, Set<Listener>>();

  /** Calls `listener` once if the signal aborts. Returns what ends that. */
  add(signal: AbortSignal, listener: Listener): () => void {
    let listeners = this.#bySignal.get(signal);
    if (listeners === undefined) {
      listeners = new Set();
      this.#bySignal.set(signal, listeners);
      signal.addEventListener('abort', this.#onAbort);
    }
    listeners.add(listener);
    return () => this.#remove(signal, listener);
  }

  #remove(signal: AbortSignal, listener: Listener): void {
    const listeners = this.#bySignal.get(signal);
    if (listeners?.delete(listener) !== true || listeners.size > 0) return;
    this.#bySignal.delete(signal);
    signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = ({ target }: Event): void => {
    if (!(target instanceof AbortSignal)) return;
    for (const listener of this.#bySignal.get(target) ?? []) listener(target.reason);
  };
}
