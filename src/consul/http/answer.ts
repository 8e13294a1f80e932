import { IncompleteRead, SyncError } from '../../errors.js';
import type { HttpAnswer } from '../../http-exchange.js';
import { isRecord } from '../../model/is-record.js';
import { jsonInBytes } from '../../model/json-in.js';
import { incomplete, type Raw } from '../reader.js';
import { type JsonElement, JsonElements, type JsonElementsOptions } from './json-elements.js';
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
  return completeIn(answer, transport, request.operation, signal);
}

/** The complete read in an answer that is there. */
export async function completeIn(
  answer: HttpAnswer,
  transport: Transport,
  operation: Operation,
  signal: AbortSignal,
): Promise<CompleteAnswer> {
  // Consul sends no filtered-results header to requests without a token.
  if (!transport.hasAclToken) await requireAclsOff(transport, signal);
  return requireComplete(answer, operation);
}

/** The JSON of an answer. A truncated document must not count as a whole one. */
export function parseJson(body: Uint8Array, operation: Operation): unknown {
  const value = jsonInBytes(body);
  if (value === undefined) throw incomplete(operation, 'the answer is not valid JSON');
  return value;
}

type ListOptions = Pick<JsonElementsOptions, 'form' | 'within' | 'each'> & {
  /** By default the transport's. */
  readonly maxBytes?: number | undefined;
  /** The text contains secrets, and is erased once it is parsed. */
  readonly erases?: boolean | undefined;
};

/**
 * As `readComplete`, for an answer of any length, which `each` takes element by element. What `each` got counts only once this
 * resolves. `isNull`: the answer is null instead.
 */
export async function readElements(
  transport: Transport,
  request: Omit<ConsulRequest, 'method' | 'sink'>,
  options: ListOptions,
  signal: AbortSignal,
  expected?: readonly number[],
): Promise<CompleteAnswer & { readonly isNull: boolean }> {
  const { sink, finish } = splitting(transport, request.operation, options);
  const isList = options.form !== 'value';
  const answer = await readComplete(transport, { ...request, sink, isList }, signal, expected);
  return { ...answer, isNull: finish(answer) };
}

/** The sink of one request, for an answer that is checked otherwise than by `readComplete`. `finish` throws for an answer that is cut off, and returns whether it is null. */
export function splitting(transport: Transport, operation: Operation, options: ListOptions) {
  const elements = new JsonElements({ ...options, maxBytes: options.maxBytes ?? transport.maxBytes });
  return {
    sink(chunk: Uint8Array): void {
      elements.feed(chunk);
      if (options.erases === true) chunk.fill(0);
    },
    finish({ status }: Pick<HttpAnswer, 'status'>): boolean {
      const isWhole = status === 200 ? elements.finish() : true;
      if (isWhole === false) throw incomplete(operation, 'the answer is not valid JSON, or not a list');
      return isWhole === null;
    },
  };
}

/** As `readListed`, if a list was read just before, so that the answer need not be checked for ACLs that are off. */
export async function readListedNext(
  transport: Transport,
  request: Omit<ConsulRequest, 'method' | 'sink'>,
  signal: AbortSignal,
  options: Pick<ListOptions, 'maxBytes'> = {},
): Promise<readonly Listed[] | 'bad request'> {
  const { operation } = request;
  const list: Listed[] = [];
  const each = (element: JsonElement) => list.push(toListed(element, operation));
  const { sink, finish } = splitting(transport, operation, { ...options, form: 'array', each });
  const answer = await transport.send({ ...request, method: 'GET', sink }, signal, [200, 400]);
  if (answer.status === 400 && answer.body.byteLength === 0) return 'bad request';
  requireComplete(answer, operation);
  if (finish(answer)) throw incomplete(operation, 'the answer is not a list');
  return list;
}

/** An element of a list. */
export interface Listed {
  /** Without a `size` as it is; else with `OMITTED` for what is too large to be kept. */
  readonly raw: Raw;
  /** Bytes of an element that is too large, or nested too deep. */
  readonly size?: number;
}

/** An element that must be an object. */
export function toListed(element: JsonElement, operation: Operation): Listed {
  if (element.kind === 'partial') return { raw: element.fields, size: element.size };
  const raw = parseJson(element.text, operation);
  if (!isRecord(raw)) throw incomplete(operation, 'the list contains a value that is not an object');
  return { raw };
}

/** A list of objects of any length, and its index. */
export async function readListed(
  transport: Transport,
  request: Omit<ConsulRequest, 'method' | 'sink'>,
  signal: AbortSignal,
  {
    expected,
    ...options
  }: Pick<ListOptions, 'maxBytes' | 'erases'> & { readonly expected?: readonly number[] } = {},
): Promise<CompleteAnswer & { readonly list: readonly Listed[] }> {
  const list: Listed[] = [];
  const each = (element: JsonElement) => list.push(toListed(element, request.operation));
  const form = { ...options, form: 'array', each } as const;
  const { isNull, ...answer } = await readElements(transport, request, form, signal, expected);
  if (isNull) throw incomplete(request.operation, 'the answer is not a list');
  return { ...answer, list };
}

/** As `readListed`, for those who read a field that was too large as a wrong type. */
export async function readRecords(
  transport: Transport,
  request: Omit<ConsulRequest, 'method' | 'sink'>,
  signal: AbortSignal,
): Promise<readonly Raw[]> {
  return (await readListed(transport, request, signal)).list.map(({ raw }) => raw);
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
function requireComplete(answer: HttpAnswer, operation: Operation): CompleteAnswer {
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
