import { IncompleteRead, SyncError } from '../../errors.js';
import type { HttpAnswer } from '../../http-exchange.js';
import { isRecord } from '../../model/is-record.js';
import { jsonInBytes } from '../../model/json-in.js';
import { incomplete, type Raw } from '../reader.js';
import type { ConsulRequest, Operation } from './request.js';
import type { Transport } from './transport.js';

/** A complete read: not filtered by ACLs, from a cluster with a leader, with the index of its table. */
export interface CompleteAnswer {
  readonly status: number;
  /** X-Consul-Index, at least 1. */
  readonly index: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * A GET of a table. Throws as `Transport.send`, and ERR_CONSUL_INCOMPLETE if the answer omits something or does not come
 * from Consul's API (the answer of a proxy has no X-Consul-Index and must not count as absence).
 */
export async function readComplete(
  transport: Transport,
  request: Omit<ConsulRequest, 'method'>,
  signal: AbortSignal,
  expected: readonly number[] = [200],
): Promise<CompleteAnswer> {
  const answer = await transport.send({ ...request, method: 'GET' }, signal, expected);
  // Consul sends no filtered-results header to requests without a token.
  if (!transport.hasAclToken) await requireAclsOff(transport, signal);
  return requireComplete(answer, request.operation);
}

/** The JSON of an answer. A truncated document must not count as a whole one. */
export function parseJson(body: Uint8Array, operation: Operation): unknown {
  const value = jsonInBytes(body);
  if (value === undefined) throw incomplete(operation, 'the answer is not valid JSON');
  return value;
}

/** A list of objects. */
export function parseRecords(body: Uint8Array, operation: Operation): readonly Raw[] {
  const list = parseJson(body, operation);
  if (!Array.isArray(list)) throw incomplete(operation, 'the answer is not a list');
  if (!list.every(isRecord)) throw incomplete(operation, 'the list contains a value that is not an object');
  return list;
}

/** As `readComplete`, for a list of objects. */
export async function readRecords(
  transport: Transport,
  request: Omit<ConsulRequest, 'method'>,
  signal: AbortSignal,
): Promise<readonly Raw[]> {
  return parseRecords((await readComplete(transport, request, signal)).body, request.operation);
}

/** The answer to PUT and DELETE, which is only `true` or `false`. */
export function parseVerdict(answer: Pick<HttpAnswer, 'body'>, operation: Operation): boolean {
  const { buffer, byteOffset, byteLength } = answer.body;
  const text = Buffer.from(buffer, byteOffset, byteLength).toString('latin1', 0, 16).trim();
  if (text === 'true' || text === 'false') return text === 'true';
  const message = `Consul ${operation}: answered neither true nor false`;
  throw new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true });
}

/** Throws ERR_CONSUL_INCOMPLETE. The answer does not show whether ACLs hide something from a caller without a token. */
export function requireComplete(answer: HttpAnswer, operation: Operation): CompleteAnswer {
  const { headers, status, body } = answer;
  if (status !== 200 && status !== 404) throw incomplete(operation, `answered ${status}`);
  if (headers['x-consul-results-filtered-by-acls'] === 'true') {
    const message = `Consul ${operation}: the ACL token cannot read everything, so the answer is incomplete; grant it the missing read permissions`;
    throw new IncompleteRead('ERR_CONSUL_INCOMPLETE', message, { retriable: false });
  }
  if (headers['x-consul-knownleader'] === 'false') throw incomplete(operation, 'the cluster has no leader');
  const index = headers['x-consul-index'] ?? '';
  if (!/^\d{1,15}$/.test(index)) throw incomplete(operation, 'the answer has no X-Consul-Index');
  return { status, index: Math.max(1, Number(index)), body };
}

async function requireAclsOff(transport: Transport, signal: AbortSignal): Promise<void> {
  const request = { operation: 'acl.probe', method: 'GET', path: '/v1/acl/token/self' } as const;
  const answer = await transport.send(request, signal, [200, 401, 403, 404]);
  const said = new TextDecoder().decode(answer.body.subarray(0, 200));
  if (answer.status === 401 && /ACL support disabled/i.test(said)) return;
  const message =
    'Consul: ACLs are enabled and no ACL token is configured, so reads are incomplete; set consul.token';
  throw new SyncError('ERR_CONSUL_DENIED', message, { retriable: false });
}
