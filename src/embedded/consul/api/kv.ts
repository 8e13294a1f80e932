import type { Authorizer } from '../acl/authorizer.js';
import { blockingQuery, parseQueryOptions } from '../blocking-query.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
  textReply,
} from '../exchange.js';
import { applied, quoted } from '../go-errors.js';
import { queryHeaders } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import {
  deleteKey,
  deleteKeyIf,
  deleteTree,
  type KvWrite,
  lockKey,
  setKey,
  setKeyIf,
  unlockKey,
} from '../state/kv-writes.js';
import type { KvRow } from '../state/rows.js';
import type { StateStore } from '../state/state-store.js';

const largestValue = 512 * 1024;
const prefix = '/v1/kv/';

export const kvRoutes: readonly Route[] = [
  { path: prefix, methods: { GET: readKeys, PUT: putKey, DELETE: removeKeys } },
];

async function readKeys(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const options = parseQueryOptions(request);
  const key = request.path.slice(prefix.length);
  const authorizer = context.acl.authorize(request);
  if (request.query.has('keys')) return listKeys(context, request, authorizer, key);
  if (request.query.has('recurse')) {
    const result = await blockingQuery(context, request, options, (watch) => {
      watch.prefix('kvs', key);
      watch.prefix('tombstones', key);
      return { ...readable(context.store, authorizer, key), index: treeIndex(context.store, key) };
    });
    const headers = queryHeaders(request, result);
    return result.value.length === 0
      ? textReply(404, '', headers)
      : jsonReply(request, result.value, headers);
  }
  if (key === '') throw badRequest('Missing key name');
  const result = await blockingQuery(context, request, options, (watch) => {
    authorizer.require('key', 'read', key);
    const row = context.store.get('kvs', key);
    if (row === undefined) watch.table('kvs');
    else watch.row('kvs', key);
    return {
      index: row?.ModifyIndex ?? context.store.indexOf('kvs', 'tombstones'),
      value: row,
      absent: row === undefined,
    };
  });
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(404, '', headers);
  if (!request.query.has('raw')) return jsonReply(request, [result.value], headers);
  return {
    status: 200,
    headers: {
      ...headers,
      'Content-Type': 'text/plain',
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': 'sandbox',
    },
    body: Buffer.from(result.value.Value ?? '', 'base64'),
  };
}

async function listKeys(
  context: ServerContext,
  request: ConsulRequest,
  authorizer: Authorizer,
  key: string,
): Promise<ConsulReply> {
  const separator = request.query.get('separator') ?? request.query.get('seperator') ?? '';
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    watch.prefix('kvs', key);
    watch.prefix('tombstones', key);
    const found = readable(context.store, authorizer, key);
    const names = found.value.map((row) => cut(row.Key, key.length, separator));
    return { value: [...new Set(names)], filtered: found.filtered, index: treeIndex(context.store, key) };
  });
  const headers = queryHeaders(request, result);
  return result.value.length === 0 && key !== ''
    ? textReply(404, '', headers)
    : jsonReply(request, result.value, headers);
}

function cut(key: string, from: number, separator: string): string {
  const at = separator === '' ? -1 : key.indexOf(separator, from);
  return at < 0 ? key : key.slice(0, at + separator.length);
}

function readable(
  store: StateStore,
  authorizer: Authorizer,
  key: string,
): { value: KvRow[]; filtered: boolean } {
  const rows = store.list('kvs', key);
  const value = rows.filter((row) => authorizer.isAllowed('key', 'read', row.Key));
  return { value, filtered: value.length < rows.length };
}

/** The newest change under the prefix, deletions included; the whole table's where nothing ever was there. */
function treeIndex(store: StateStore, key: string): number {
  const whole = store.indexOf('kvs', 'tombstones');
  if (key === '') return whole;
  const changes = [
    ...store.list('kvs', key).map((row) => row.ModifyIndex),
    ...store.list('tombstones', key).map((row) => row.Index),
  ];
  return changes.length === 0 ? whole : Math.max(...changes);
}

function putKey(context: ServerContext, request: ConsulRequest): ConsulReply {
  parseQueryOptions(request);
  const key = request.path.slice(prefix.length);
  if (key === '') throw badRequest('Missing key name');
  refuseConflict(request, ['cas', 'acquire', 'release']);
  const flags = numberParameter(request, 'flags') ?? 0;
  const cas = numberParameter(request, 'cas');
  const acquire = request.query.get('acquire');
  const release = request.query.get('release');
  if (request.body.length > largestValue) {
    throw new ConsulFailure(
      413,
      `Request body(${request.body.length} bytes) too large, max size: ${largestValue} bytes. See https://www.consul.io/docs/agent/config/config-files#kv_max_value_size.`,
    );
  }
  context.acl.authorize(request).require('key', 'write', key);
  const write: KvWrite = {
    Key: key,
    Flags: flags,
    Value: request.body.length === 0 ? null : request.body.toString('base64'),
  };
  if (acquire !== null && context.sessions.isLockDelayed(key)) return jsonReply(request, false);
  const isDone = applied('raft apply failed', () =>
    context.store.write((transaction) => {
      if (acquire !== null) return lockKey(transaction, write, acquire) !== undefined;
      if (release !== null) return unlockKey(transaction, write, release) !== undefined;
      if (cas !== undefined) return setKeyIf(transaction, write, cas) !== undefined;
      setKey(transaction, write);
      return true;
    }),
  );
  return jsonReply(request, isDone);
}

function removeKeys(context: ServerContext, request: ConsulRequest): ConsulReply {
  parseQueryOptions(request);
  const key = request.path.slice(prefix.length);
  refuseConflict(request, ['recurse', 'cas']);
  const isTree = request.query.has('recurse');
  if (!isTree && key === '') throw badRequest('Missing key name');
  const cas = numberParameter(request, 'cas');
  const authorizer = context.acl.authorize(request);
  if (isTree) {
    if (!authorizer.isKeyTreeWritable(key)) throw authorizer.refusal('key', 'write', key);
  } else authorizer.require('key', 'write', key);
  const isDone = context.store.write((transaction) => {
    if (isTree) deleteTree(transaction, key);
    else if (cas !== undefined) return deleteKeyIf(transaction, key, cas);
    else deleteKey(transaction, key);
    return true;
  });
  return jsonReply(request, isDone);
}

function refuseConflict(request: ConsulRequest, flags: readonly string[]): void {
  if (flags.filter((flag) => request.query.has(flag)).length < 2) return;
  const sorted = new URLSearchParams(request.query);
  sorted.sort();
  throw badRequest(`Conflicting flags: ${sorted}`);
}

function numberParameter(request: ConsulRequest, name: string): number | undefined {
  const text = request.query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,20}$/.test(text))
    throw serverFailure(`strconv.ParseUint: parsing ${quoted(text)}: invalid syntax`);
  return Number(text);
}
