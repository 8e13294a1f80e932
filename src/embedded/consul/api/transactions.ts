import type { Authorizer } from '../acl/authorizer.js';
import { decodeStrict, numberIn, objectIn, parseJsonBody, textIn } from '../body.js';
import type { Call, Route } from '../call.js';
import { badRequest, ConsulFailure, type ConsulReply, quoted } from '../exchange.js';
import { anyMap, int, pointer, string } from '../shape.js';
import { deleteKey, deleteKeyIf, lockKey, setKey, setKeyIf, unlockKey } from '../state/kv-writes.js';
import type { KvRow } from '../state/rows.js';
import type { WriteTransaction } from '../state/state-store.js';
import { largestValue } from './kv.js';

const mostOperations = 128;

const operationShape = [
  ...pointer('KV', string('Verb Key Value Session Namespace'), int('Flags Index')),
  ...anyMap('Node Service Check'),
];

export const transactionRoutes: readonly Route[] = [{ path: '/v1/txn', methods: { PUT: applyTransaction } }];

interface Operation {
  readonly verb: string;
  readonly key: string;
  readonly value: string | null;
  readonly flags: number;
  readonly index: number;
  readonly session: string;
}

interface OperationError {
  readonly OpIndex: number;
  readonly What: string;
}

const writeVerbs = new Set(['set', 'delete', 'delete-cas', 'cas', 'lock', 'unlock']);

/** All operations or none: the first that fails undoes the rest, and the answer is 409 with its reason. */
function applyTransaction(call: Call): ConsulReply {
  const operations = parseOperations(call.request.body);
  const authorizer = call.authorize();
  const refusals = operations.flatMap((operation, index) => vet(authorizer, operation, index));
  if (refusals.length > 0) return conflict(call, refusals);
  const delayed = operations.findIndex(({ verb, key }) => {
    return verb === 'lock' && call.context.sessions.isLockDelayed(key);
  });
  if (delayed >= 0) {
    const What = `failed to lock key ${quoted(operations[delayed]?.key ?? '')} due to lock delay`;
    return conflict(call, [{ OpIndex: delayed, What }]);
  }
  const isReadOnly = !operations.some((operation) => writeVerbs.has(operation.verb));
  // A transaction that only reads answers with the meta of a query in its body.
  const meta = isReadOnly ? readMeta : {};
  let at = 0;
  let results: KvRow[];
  try {
    results = call.store.write((transaction) =>
      operations.flatMap((operation, index) => {
        at = index;
        return run(transaction, operation);
      }),
    );
  } catch (error) {
    if (error instanceof ConsulFailure) return conflict(call, [{ OpIndex: at, What: error.message }], meta);
    throw error;
  }
  const readable = results.filter((row) => authorizer.isAllowed('key', 'read', row.Key));
  const isFiltered = Object.keys(call.filteredHeader(readable.length < results.length)).length > 0;
  const body = { Results: readable.map((row) => ({ KV: row })), Errors: null };
  return isReadOnly
    ? call.json(
        { ...body, ...meta, ResultsFilteredByACLs: isFiltered },
        { 'X-Consul-KnownLeader': 'true', 'X-Consul-LastContact': '0' },
      )
    : call.json(body);
}

const readMeta = {
  Index: 1,
  LastContact: 0,
  KnownLeader: true,
  ConsistencyLevel: '',
  NotModified: false,
  Backend: 0,
  ResultsFilteredByACLs: false,
};

function conflict(call: Call, errors: readonly OperationError[], meta: object = {}): ConsulReply {
  return call.json({ Results: null, Errors: errors, ...meta }, {}, 409);
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
  return raw.map(toOperation);
}

function toOperation(raw: unknown): Operation {
  const kv = objectIn(decodeStrict(raw, operationShape, 'Failed to parse body'), 'KV');
  if (kv === undefined) throw new ConsulFailure(501, 'only KV operations are served in transactions');
  const [key, value] = [textIn(kv, 'Key'), textIn(kv, 'Value')];
  const size = Buffer.byteLength(value, 'base64');
  if (size > largestValue) {
    throw new ConsulFailure(
      413,
      `Value for key ${quoted(key)} is too large (${size} > ${largestValue} bytes)`,
    );
  }
  return {
    verb: textIn(kv, 'Verb'),
    key,
    value: value === '' ? null : value,
    flags: numberIn(kv, 'Flags'),
    index: numberIn(kv, 'Index'),
    session: textIn(kv, 'Session'),
  };
}

/** Reads are filtered afterwards; checks would reveal keys that the ACL token may not read. */
function vet(authorizer: Authorizer, { verb, key }: Operation, index: number): OperationError[] {
  if (key === '') return [{ OpIndex: index, What: 'Must provide key' }];
  if (verb === 'get') return [];
  const access = verb === 'check-session' || verb === 'check-index' ? 'read' : 'write';
  return authorizer.isAllowed('key', access, key)
    ? []
    : [{ OpIndex: index, What: authorizer.refusal('key', access, key).message }];
}

/** The rows that an operation answers; writes and checks answer without the value. Throws where it fails. */
function run(transaction: WriteTransaction, { verb, key, value, flags, index, session }: Operation): KvRow[] {
  const write = { Key: key, Flags: flags, Value: value };
  const current = transaction.get('kvs', key);
  const name = quoted(key);
  const blank = (row: KvRow | undefined, why: string): KvRow[] => {
    if (row === undefined) throw new ConsulFailure(409, why);
    return [{ ...row, Value: null }];
  };
  const refuse = (why: string) => blank(undefined, why);
  switch (verb) {
    case 'set':
      return blank(setKey(transaction, write), '');
    case 'cas':
      return blank(setKeyIf(transaction, write, index), `failed to set key ${name}, index is stale`);
    case 'lock':
      return blank(lockKey(transaction, write, session), `failed to lock key ${name}, lock is already held`);
    case 'unlock':
      return blank(
        unlockKey(transaction, write, session),
        `failed to unlock key ${name}, lock isn't held, or is held by another session`,
      );
    case 'delete':
      deleteKey(transaction, key);
      return [];
    case 'delete-cas':
      return deleteKeyIf(transaction, key, index)
        ? []
        : refuse(`failed to delete key ${name}, index is stale`);
    case 'get':
      return current === undefined ? refuse(`key ${name} doesn't exist`) : [current];
    case 'check-not-exists':
      return current === undefined ? [] : refuse(`key ${name} exists`);
    case 'check-index':
      if (current === undefined) return refuse(`failed to check index, key ${name} doesn't exist`);
      return current.ModifyIndex === index
        ? blank(current, '')
        : refuse(
            `failed index check for key ${name}, current modify index ${current.ModifyIndex} != ${index}`,
          );
    case 'check-session': {
      if (current === undefined) return refuse(`failed to check session, key ${name} doesn't exist`);
      const held = current.Session ?? '';
      return held === session
        ? blank(current, '')
        : refuse(
            `failed session check for key ${name}, current session ${quoted(held)} != ${quoted(session)}`,
          );
    }
    default:
      return refuse(`unknown KV verb ${quoted(verb)}`);
  }
}
