import type { Authorizer } from '../acl/authorizer.js';
import { decodeStrict, numberIn, objectIn, parseJsonBody, textIn } from '../body.js';
import type { Call, Route } from '../call.js';
import { badRequest, ConsulFailure, type ConsulReply, quoted } from '../exchange.js';
import { anyMap, int, pointer, string } from '../shape.js';
import { deleteKey, deleteKeyIf, setKey, setKeyIf } from '../state/kv-writes.js';
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
}

interface OperationError {
  readonly OpIndex: number;
  readonly What: string;
}

/**
 * All operations or none: the first that fails undoes the rest, and the answer is 409 with its reason. Serves the verbs
 * that write, and `check-index` beside them.
 */
function applyTransaction(call: Call): ConsulReply {
  const operations = parseOperations(call.request.body);
  const authorizer = call.authorize();
  const refusals = operations.flatMap((operation, index) => vet(authorizer, operation, index));
  if (refusals.length > 0) return conflict(call, refusals);
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
    if (error instanceof ConsulFailure) return conflict(call, [{ OpIndex: at, What: error.message }]);
    throw error;
  }
  const readable = results.filter((row) => authorizer.isAllowed('key', 'read', row.Key));
  return call.json({ Results: readable.map((row) => ({ KV: row })), Errors: null });
}

function conflict(call: Call, errors: readonly OperationError[]): ConsulReply {
  return call.json({ Results: null, Errors: errors }, {}, 409);
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
  };
}

/** A check would reveal keys that the ACL token may not read. */
function vet(authorizer: Authorizer, { verb, key }: Operation, index: number): OperationError[] {
  if (key === '') return [{ OpIndex: index, What: 'Must provide key' }];
  const access = verb === 'check-index' ? 'read' : 'write';
  return authorizer.isAllowed('key', access, key)
    ? []
    : [{ OpIndex: index, What: authorizer.refusal('key', access, key).message }];
}

/** The rows that an operation answers, without their values. Throws where it fails. */
function run(transaction: WriteTransaction, { verb, key, value, flags, index }: Operation): KvRow[] {
  const write = { Key: key, Flags: flags, Value: value };
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
    case 'delete':
      deleteKey(transaction, key);
      return [];
    case 'delete-cas':
      return deleteKeyIf(transaction, key, index)
        ? []
        : refuse(`failed to delete key ${name}, index is stale`);
    case 'check-index': {
      const current = transaction.get('kvs', key);
      if (current === undefined) return refuse(`failed to check index, key ${name} doesn't exist`);
      return current.ModifyIndex === index
        ? blank(current, '')
        : refuse(
            `failed index check for key ${name}, current modify index ${current.ModifyIndex} != ${index}`,
          );
    }
    default:
      return refuse(`unknown KV verb ${quoted(verb)}`);
  }
}
