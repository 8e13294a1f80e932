import { secretOf } from '../acl/acl-resolver.js';
import type { Authorizer } from '../acl/authorizer.js';
import { type Decoded, decodeShape, type Shape, ShapeError } from '../entries/shape.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  goJson,
  jsonReply,
} from '../exchange.js';
import { quoted } from '../go-errors.js';
import { parseJsonBody } from '../json-body.js';
import type { Route, ServerContext } from '../server-context.js';
import {
  deleteKey,
  deleteKeyIf,
  deleteTree,
  lockKey,
  setKey,
  setKeyIf,
  unlockKey,
} from '../state/kv-writes.js';
import type { KvRow } from '../state/rows.js';
import type { WriteTransaction } from '../state/state-store.js';
import { numberIn, objectIn, textIn } from '../strict-body.js';

const mostOperations = 128;
const largestValue = 512 * 1024;

const kvShape: Shape = [
  { name: 'Verb', kind: 'string' },
  { name: 'Key', kind: 'string' },
  { name: 'Value', kind: 'string' },
  { name: 'Flags', kind: 'int' },
  { name: 'Index', kind: 'int' },
  { name: 'Session', kind: 'string' },
  { name: 'Namespace', kind: 'string' },
];

const operationShape: Shape = [
  { name: 'KV', kind: { pointer: kvShape } },
  { name: 'Node', kind: 'any-map' },
  { name: 'Service', kind: 'any-map' },
  { name: 'Check', kind: 'any-map' },
];

export const transactionRoutes: readonly Route[] = [{ path: '/v1/txn', methods: { PUT: applyTransaction } }];

interface OperationError {
  readonly OpIndex: number;
  readonly What: string;
}

const writeVerbs = new Set(['set', 'delete', 'delete-cas', 'delete-tree', 'cas', 'lock', 'unlock']);

/** All operations or none: the first that cannot be done undoes the rest, and the answer is 409 with its reason. */
function applyTransaction(context: ServerContext, request: ConsulRequest): ConsulReply {
  const operations = parseOperations(request.body);
  const authorizer = context.acl.authorize(request);
  const refusals = operations.flatMap((operation, index) => vet(authorizer, operation, index));
  if (refusals.length > 0) return conflict(request, refusals);
  for (const operation of operations) {
    if (operation.verb === 'lock' && context.sessions.isLockDelayed(operation.key)) {
      const What = `failed to lock key ${quoted(operation.key)} due to lock delay`;
      return conflict(request, [{ OpIndex: operations.indexOf(operation), What }]);
    }
  }
  const isReadOnly = !operations.some((operation) => writeVerbs.has(operation.verb));
  const headers: Record<string, string> = isReadOnly
    ? { 'X-Consul-KnownLeader': 'true', 'X-Consul-LastContact': '0' }
    : {};
  try {
    const results = context.store.write((transaction) => {
      return operations.flatMap((operation, index) => {
        try {
          return run(transaction, operation);
        } catch (error) {
          if (error instanceof ConsulFailure)
            throw new OperationFailure({ OpIndex: index, What: error.message });
          throw error;
        }
      });
    });
    const readable = results.filter((row) => authorizer.isAllowed('key', 'read', row.Key));
    const isFiltered = readable.length < results.length && secretOf(request) !== '';
    const meta = isReadOnly ? { ...readMeta, ResultsFilteredByACLs: isFiltered } : {};
    return jsonReply(
      request,
      { Results: readable.map((row) => ({ KV: row })), Errors: null, ...meta },
      headers,
    );
  } catch (error) {
    if (error instanceof OperationFailure)
      return conflict(request, [error.detail], isReadOnly ? readMeta : {});
    throw error;
  }
}

/** A transaction that only reads answers with the meta of a query in its body. */
const readMeta = {
  Index: 1,
  LastContact: 0,
  KnownLeader: true,
  ConsistencyLevel: '',
  NotModified: false,
  Backend: 0,
  ResultsFilteredByACLs: false,
};

class OperationFailure extends Error {
  readonly detail: OperationError;

  constructor(detail: OperationError) {
    super(detail.What);
    this.detail = detail;
  }
}

function conflict(request: ConsulRequest, errors: readonly OperationError[], meta: object = {}): ConsulReply {
  const body = { Results: null, Errors: errors, ...meta };
  const headers = { 'Content-Type': 'application/json' };
  return { status: 409, headers, body: goJson(body, request.query.has('pretty')) };
}

interface Operation {
  readonly verb: string;
  readonly key: string;
  readonly value: string | null;
  readonly flags: number;
  readonly index: number;
  readonly session: string;
}

function parseOperations(body: Buffer): Operation[] {
  const raw = parseJsonBody(body, 'Failed to parse body');
  if (!Array.isArray(raw)) {
    throw badRequest('Failed to parse body: json: cannot unmarshal object into Go value of type api.TxnOps');
  }
  if (raw.length > mostOperations) {
    throw new ConsulFailure(
      413,
      `Transaction contains too many operations (${raw.length} > ${mostOperations})`,
    );
  }
  return raw.map(parseOperation);
}

function parseOperation(raw: unknown): Operation {
  const unused: string[] = [];
  let decoded: Decoded;
  try {
    decoded = decodeShape(operationShape, raw, '', unused);
  } catch (error) {
    if (error instanceof ShapeError) throw badRequest(`Failed to parse body: ${error.message}`);
    throw error;
  }
  const unknown = unused[0];
  if (unknown !== undefined)
    throw badRequest(`Failed to parse body: json: unknown field "${unknown.split('.').at(-1)}"`);
  const kv = objectIn(decoded, 'KV');
  if (kv === undefined) throw new ConsulFailure(501, 'only KV operations are served in transactions');
  const value = textIn(kv, 'Value');
  if (Buffer.byteLength(value, 'base64') > largestValue) {
    const size = Buffer.byteLength(value, 'base64');
    throw new ConsulFailure(
      413,
      `Value for key ${quoted(textIn(kv, 'Key'))} is too large (${size} > ${largestValue} bytes)`,
    );
  }
  return {
    verb: textIn(kv, 'Verb'),
    key: textIn(kv, 'Key'),
    value: value === '' ? null : value,
    flags: numberIn(kv, 'Flags'),
    index: numberIn(kv, 'Index'),
    session: textIn(kv, 'Session'),
  };
}

/** Plain reads are filtered afterwards instead; checks would tell about keys one may not read. */
function vet(authorizer: Authorizer, { verb, key }: Operation, index: number): OperationError[] {
  const refuse = (What: string) => [{ OpIndex: index, What }];
  if (key === '' && verb !== 'delete-tree') return refuse('Must provide key');
  switch (verb) {
    case 'get':
    case 'get-or-empty':
    case 'get-tree':
      return [];
    case 'delete-tree':
      return authorizer.isKeyTreeWritable(key) ? [] : refuse(authorizer.refusal('key', 'write', key).message);
    case 'check-session':
    case 'check-index':
      return authorizer.isAllowed('key', 'read', key)
        ? []
        : refuse(authorizer.refusal('key', 'read', key).message);
    default:
      return authorizer.isAllowed('key', 'write', key)
        ? []
        : refuse(authorizer.refusal('key', 'write', key).message);
  }
}

function run(transaction: WriteTransaction, operation: Operation): KvRow[] {
  const { verb, key, index, session } = operation;
  const write = { Key: key, Flags: operation.flags, Value: operation.value };
  const current = transaction.get('kvs', key);
  const fail = (text: string) => new ConsulFailure(409, text);
  switch (verb) {
    case 'set':
      return [blank(setKey(transaction, write))];
    case 'delete':
      deleteKey(transaction, key);
      return [];
    case 'delete-cas':
      if (!deleteKeyIf(transaction, key, index))
        throw fail(`failed to delete key ${quoted(key)}, index is stale`);
      return [];
    case 'delete-tree':
      deleteTree(transaction, key);
      return [];
    case 'cas': {
      const row = setKeyIf(transaction, write, index);
      if (row === undefined) throw fail(`failed to set key ${quoted(key)}, index is stale`);
      return [blank(row)];
    }
    case 'lock': {
      const row = lockKey(transaction, write, session);
      if (row === undefined) throw fail(`failed to lock key ${quoted(key)}, lock is already held`);
      return [blank(row)];
    }
    case 'unlock': {
      const row = unlockKey(transaction, write, session);
      if (row === undefined)
        throw fail(`failed to unlock key ${quoted(key)}, lock isn't held, or is held by another session`);
      return [blank(row)];
    }
    case 'get':
      if (current === undefined) throw fail(`key ${quoted(key)} doesn't exist`);
      return [current];
    case 'get-or-empty':
      return [current ?? { LockIndex: 0, Key: key, Flags: 0, Value: null, CreateIndex: 0, ModifyIndex: 0 }];
    case 'get-tree':
      return transaction.list('kvs', key);
    case 'check-session':
      if (current === undefined) throw fail(`failed to check session, key ${quoted(key)} doesn't exist`);
      if ((current.Session ?? '') !== session) {
        throw fail(
          `failed session check for key ${quoted(key)}, current session ${quoted(current.Session ?? '')} != ${quoted(session)}`,
        );
      }
      return [blank(current)];
    case 'check-index':
      if (current === undefined) throw fail(`failed to check index, key ${quoted(key)} doesn't exist`);
      if (current.ModifyIndex !== index) {
        throw fail(
          `failed index check for key ${quoted(key)}, current modify index ${current.ModifyIndex} != ${index}`,
        );
      }
      return [blank(current)];
    case 'check-not-exists':
      if (current !== undefined) throw fail(`key ${quoted(key)} exists`);
      return [];
    default:
      throw fail(`unknown KV verb ${quoted(verb)}`);
  }
}

/** Writes and checks answer without the value. */
function blank(row: KvRow): KvRow {
  return { ...row, Value: null };
}
