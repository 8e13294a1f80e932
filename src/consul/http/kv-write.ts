import { z } from 'zod';
import { SyncError } from '../../errors.js';
import { inParts } from '../../in-parts.js';
import { definedFields } from '../../model/defined-fields.js';
import type { RecordResult } from '../consul.js';
import { Reader } from '../reader.js';
import { parseJson } from './answer.js';
import { toRefusalText } from './refusal.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** Consul accepts 128 operations in a transaction; older versions accept 64. */
const MAX_OPERATIONS = 64;
/** Keeps a transaction below Consul's limit, 512 KiB by default (`txn_max_req_len`). */
const MAX_WRITE_BYTES = 7 * 1024;

/** An operation of a transaction on one key. */
export interface KvOperation {
  readonly verb: 'set' | 'cas' | 'delete' | 'delete-cas' | 'check-index';
  readonly key: string;
  readonly value?: string;
  readonly index?: number;
}

/** The operations of one write, and the position of its result. */
interface Prepared {
  readonly index: number;
  readonly operations: readonly object[];
}

/**
 * A function that writes records, each by its own operations. `toOperations` throws ERR_CONSUL_REJECTED for a record without a valid key.
 * A transaction applies all of its operations or none. The answer names the failed operations; they are removed, and the
 * others are sent again.
 */
export function recordWriter<W>(
  transport: Transport,
  operation: Operation,
  toOperations: (write: W) => readonly KvOperation[],
): (writes: readonly W[], signal: AbortSignal) => Promise<readonly RecordResult[]> {
  const { namespace: Namespace, partition: Partition } = transport.tenancy;
  const place = definedFields({ Namespace, Partition });
  const toWire = ({ verb, key, value, index }: KvOperation) => {
    const Value = value === undefined ? undefined : Buffer.from(value).toString('base64');
    return { KV: { Verb: verb, Key: key, ...place, ...definedFields({ Value, Index: index }) } };
  };
  return async (writes, signal) => {
    const results: RecordResult[] = writes.map(() => ({ kind: 'written' }));
    const prepared: Prepared[] = [];
    for (const [index, write] of writes.entries()) {
      const operations = prepare(() => toOperations(write).map(toWire));
      if (typeof operations === 'string') results[index] = { kind: 'refused', detail: operations };
      else prepared.push({ index, operations });
    }
    for (const chunk of inParts(prepared, MAX_OPERATIONS, ({ operations }) => operations.length)) {
      let left: readonly Prepared[] = chunk;
      while (left.length > 0) {
        const answers = await send(transport, operation, left, signal);
        for (const [{ index }, result] of answers) results[index] = result;
        left = answers.size === left.length ? [] : left.filter((each) => !answers.has(each));
      }
    }
    return results;
  };
}

/** The operations of a write, or why there are none. */
function prepare(toOperations: () => readonly object[]): readonly object[] | string {
  try {
    const operations = toOperations();
    return JSON.stringify(operations).length > MAX_WRITE_BYTES
      ? 'Consul: the provider or client id is too long for a record'
      : operations;
  } catch (error) {
    if (error instanceof SyncError) return error.message;
    throw error;
  }
}

/** The results of all writes if they were applied, or else of those that made the transaction fail. */
async function send(
  transport: Transport,
  operation: Operation,
  writes: readonly Prepared[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Prepared, RecordResult>> {
  const owners = writes.flatMap((write) => write.operations.map(() => write));
  const operations = writes.flatMap((write) => write.operations);
  const request = { operation, method: 'PUT', path: '/v1/txn', body: JSON.stringify(operations) } as const;
  const answer = await transport.send(request, signal, [200, 409]);
  const reader = new Reader(operation);
  const answered = reader.record(parseJson(answer.body, operation));
  if (answer.status === 200) {
    if (!Array.isArray(answered.Results) || reader.list(answered.Errors).length > 0) throw unclear(operation);
    const modifyIndex = indexOf(answered.Results, writes.length);
    const written: RecordResult = { kind: 'written', ...definedFields({ modifyIndex }) };
    return new Map(writes.map((write) => [write, written]));
  }
  const failures = new Map<Prepared, RecordResult>();
  for (const error of reader.records(answered.Errors)) {
    const owner = owners[reader.index(error.OpIndex)];
    if (owner !== undefined && !failures.has(owner))
      failures.set(owner, toResult(reader.text(error.What), operation));
  }
  if (failures.size === 0) throw unclear(operation);
  return failures;
}

const RESULT = z.object({ KV: z.object({ ModifyIndex: z.int().positive() }) });

/**
 * The index of a transaction that was made: what it wrote has it, and it is greater than that of what it only checked.
 * Undefined if the answer does not show all: Consul leaves out what the token may not read.
 */
function indexOf(results: readonly unknown[], writes: number): number | undefined {
  const indexes = results.flatMap((each) => RESULT.safeParse(each).data?.KV.ModifyIndex ?? []);
  return indexes.length < writes ? undefined : Math.max(...indexes);
}

function toResult(text: string, operation: Operation): RecordResult {
  // A quoted text is a key, which a client can choose.
  return /index is stale|failed index check|doesn't exist/.test(text.replace(/"[^"]*"/g, ''))
    ? { kind: 'conflict' }
    : { kind: 'refused', detail: `Consul ${operation}: ${toRefusalText(text)}` };
}

function unclear(operation: Operation): SyncError {
  const message = `Consul ${operation}: answered neither with results nor with errors`;
  return new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true });
}
