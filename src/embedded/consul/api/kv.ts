import type { Call, Route } from '../call.js';
import { applied, badRequest, ConsulFailure, type ConsulReply, textReply } from '../exchange.js';
import { parseQueryOptions, readable } from '../query.js';
import {
  deleteKey,
  deleteKeyIf,
  deleteTree,
  type KvWrite,
  lockKey,
  setKey,
  setKeyIf,
} from '../state/kv-writes.js';
import type { StateStore } from '../state/state-store.js';

/** The largest value of a key, in bytes. */
export const largestValue = 512 * 1024;

export const kvRoutes: readonly Route[] = [
  { path: '/v1/kv/', methods: { GET: readKeys, PUT: putKey, DELETE: removeKeys } },
];

function readKeys(call: Call): Promise<ConsulReply> {
  if (call.request.query.has('recurse')) return readTree(call);
  if (call.rest === '') throw badRequest('Missing key name');
  return readKey(call, call.rest);
}

async function readTree(call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  const { value, headers } = await call.read((watch) => {
    watch.prefix('kvs', call.rest);
    watch.prefix('tombstones', call.rest);
    const rows = call.store.list('kvs', call.rest);
    const index = treeIndex(call.store, call.rest);
    return { index, ...readable(rows, (row) => authorizer.isAllowed('key', 'read', row.Key)) };
  });
  return value.length === 0 ? textReply(404, '', headers) : call.json(value, headers);
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

async function readKey(call: Call, key: string): Promise<ConsulReply> {
  const authorizer = call.authorize();
  const { value, headers } = await call.read((watch) => {
    authorizer.require('key', 'read', key);
    const row = call.store.get('kvs', key);
    watch.lookup('kvs', key, row);
    const index = row?.ModifyIndex ?? call.store.indexOf('kvs', 'tombstones');
    return { index, value: row, absent: row === undefined };
  });
  if (value === undefined) return textReply(404, '', headers);
  if (!call.request.query.has('raw')) return call.json([value], headers);
  const types = {
    'Content-Type': 'text/plain',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': 'sandbox',
  };
  return { status: 200, headers: { ...headers, ...types }, body: Buffer.from(value.Value ?? '', 'base64') };
}

function putKey(call: Call): ConsulReply {
  const { body, query } = call.request;
  parseQueryOptions(call.request);
  const key = call.rest;
  if (key === '') throw badRequest('Missing key name');
  refuseConflict(query, ['cas', 'acquire']);
  const flags = call.numberParameter('flags') ?? 0;
  const cas = call.numberParameter('cas');
  const acquire = query.get('acquire');
  if (body.length > largestValue) {
    throw new ConsulFailure(
      413,
      `Request body(${body.length} bytes) too large, max size: ${largestValue} bytes. See https://www.consul.io/docs/agent/config/config-files#kv_max_value_size.`,
    );
  }
  call.authorize().require('key', 'write', key);
  const write: KvWrite = {
    Key: key,
    Flags: flags,
    Value: body.length === 0 ? null : body.toString('base64'),
  };
  if (acquire !== null && call.context.sessions.isLockDelayed(key)) return call.json(false);
  const isDone = applied('raft apply failed', () =>
    call.store.write((transaction) => {
      if (acquire !== null) return lockKey(transaction, write, acquire) !== undefined;
      if (cas !== undefined) return setKeyIf(transaction, write, cas) !== undefined;
      setKey(transaction, write);
      return true;
    }),
  );
  return call.json(isDone);
}

function removeKeys(call: Call): ConsulReply {
  parseQueryOptions(call.request);
  const key = call.rest;
  refuseConflict(call.request.query, ['recurse', 'cas']);
  const isTree = call.request.query.has('recurse');
  if (!isTree && key === '') throw badRequest('Missing key name');
  const cas = call.numberParameter('cas');
  const authorizer = call.authorize();
  if (!isTree) authorizer.require('key', 'write', key);
  else if (!authorizer.isKeyTreeWritable(key)) throw authorizer.refusal('key', 'write', key);
  const isDone = call.store.write((transaction) => {
    if (isTree) deleteTree(transaction, key);
    else if (cas !== undefined) return deleteKeyIf(transaction, key, cas);
    else deleteKey(transaction, key);
    return true;
  });
  return call.json(isDone);
}

function refuseConflict(query: URLSearchParams, flags: readonly string[]): void {
  if (flags.filter((flag) => query.has(flag)).length < 2) return;
  const sorted = new URLSearchParams(query);
  sorted.sort();
  throw badRequest(`Conflicting flags: ${sorted}`);
}
