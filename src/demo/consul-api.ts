import { SyncError } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';

/** A real or an embedded Consul, with its management token. */
export interface ConsulPlace {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  readonly managementToken: string;
}

export interface ConsulAnswer {
  readonly status: number;
  /** `X-Consul-Index`; 0 without that header. */
  readonly index: number;
  readonly json: unknown;
}

/**
 * Calls Consul's HTTP API with the management token: a PUT with a body, otherwise a GET. `timeoutMs` covers the whole exchange. Throws SyncError
 * ERR_CONSUL_UNREACHABLE, or ERR_CONSUL_REJECTED for a status that is not 2xx and not in `alsoGood`.
 */
export async function callConsul(
  place: ConsulPlace,
  request: {
    readonly path: string;
    readonly body?: unknown;
    readonly timeoutMs?: number;
    readonly alsoGood?: readonly number[];
  },
  signal: AbortSignal,
): Promise<ConsulAnswer> {
  const { path, body, timeoutMs = 10_000, alsoGood = [] } = request;
  const method = body === undefined ? 'GET' : 'PUT';
  const send = async (limit: AbortSignal) => {
    const response = await fetch(`${place.address}${path}`, {
      method,
      headers: { 'X-Consul-Token': place.managementToken },
      signal: limit,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { response, text: await response.text() };
  };
  const { response, text } = await withLinkedSignal([signal], send, timeoutMs).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new SyncError('ERR_CONSUL_UNREACHABLE', `demo: Consul does not answer ${path}`, {
      retriable: true,
      cause,
    });
  });
  if (!response.ok && !alsoGood.includes(response.status)) {
    const message = `demo: Consul refused ${method} ${path}: ${response.status} ${text.slice(0, 200)}`;
    throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
  }
  const isJson = response.ok && response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    index: Number(response.headers.get('x-consul-index') ?? 0),
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  };
}
