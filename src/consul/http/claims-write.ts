import { SyncError } from '../../errors.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ClaimResult, ClaimWrite } from '../consul.js';
import { parseJson } from './answer.js';
import { toClaimKey } from './claim-keys.js';
import { createReader } from './json.js';
import type { Tenancy } from './place.js';
import { toRefusalText } from './refusal.js';
import type { Transport } from './transport.js';

const OPERATION = 'claims.write';

/** Consul accepts 128 operations in a transaction; older versions accept 64. */
const MOST_OPERATIONS = 64;
/** Keeps a transaction below Consul's limit, 512 KiB by default (`txn_max_req_len`). */
const LONGEST_WRITE_BYTES = 7 * 1024;

/** The operations of one write, and the position of its result. */
interface Prepared {
  readonly index: number;
  readonly operations: readonly object[];
}

/**
 * A transaction applies all of its operations or none. The answer names the failed operations; they are removed, and the
 * others are sent again.
 */
export async function writeClaims(
  transport: Transport,
  tenancy: Tenancy,
  folder: string,
  writes: readonly ClaimWrite[],
  signal: AbortSignal,
): Promise<readonly ClaimResult[]> {
  const results: ClaimResult[] = writes.map(() => ({ kind: 'written' }));
  const prepared: Prepared[] = [];
  for (const [index, write] of writes.entries()) {
    const operations = toOperations(write, tenancy, folder);
    if (typeof operations === 'string') results[index] = { kind: 'refused', detail: operations };
    else prepared.push({ index, operations });
  }
  for (const chunk of toChunks(prepared)) {
    let left = chunk;
    while (left.length > 0) {
      const failures = await send(transport, left, signal);
      if (failures.size === 0) break;
      for (const [{ index }, result] of failures) results[index] = result;
      left = left.filter((each) => !failures.has(each));
    }
  }
  return results;
}

/**
 * The operations of a write, or why there are none. `delete-cas` of a missing key succeeds, so a separate operation, which
 * fails for a missing key, checks the index.
 */
function toOperations(write: ClaimWrite, tenancy: Tenancy, folder: string): readonly object[] | string {
  const { provider, clientId, service } = write.record;
  let key: string;
  try {
    key = toClaimKey(folder, write.record);
  } catch (error) {
    if (error instanceof SyncError) return error.message;
    throw error;
  }
  const place = {
    Key: key,
    ...definedFields({ Namespace: tenancy.namespace, Partition: tenancy.partition }),
  };
  const value = Buffer.from(JSON.stringify({ provider, clientId, service })).toString('base64');
  const operations =
    write.do === 'create'
      ? [{ KV: { Verb: 'cas', ...place, Value: value, Index: 0 } }]
      : [
          { KV: { Verb: 'check-index', ...place, Index: write.record.modifyIndex } },
          { KV: { Verb: 'delete-cas', ...place, Index: write.record.modifyIndex } },
        ];
  return JSON.stringify(operations).length > LONGEST_WRITE_BYTES
    ? 'Consul claims: the provider or client id is too long for a record'
    : operations;
}

function toChunks(writes: readonly Prepared[]): readonly (readonly Prepared[])[] {
  const chunks: Prepared[][] = [];
  let room = 0;
  for (const write of writes) {
    room -= write.operations.length;
    if (room < 0) {
      chunks.push([]);
      room = MOST_OPERATIONS - write.operations.length;
    }
    chunks.at(-1)?.push(write);
  }
  return chunks;
}

/** The writes that made the transaction fail; empty if all writes were applied. */
async function send(
  transport: Transport,
  writes: readonly Prepared[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Prepared, ClaimResult>> {
  const owners = writes.flatMap((write) => write.operations.map(() => write));
  const body = JSON.stringify(writes.flatMap(({ operations }) => operations));
  const request = { operation: OPERATION, method: 'PUT', path: '/v1/txn', body } as const;
  const answer = await transport.send(request, signal, [200, 409]);
  const reader = createReader(OPERATION);
  const answered = reader.record(parseJson(answer.body, OPERATION));
  if (answer.status === 200) {
    if (!Array.isArray(answered.Results) || reader.list(answered.Errors).length > 0) throw unclear();
    return new Map();
  }
  const failures = new Map<Prepared, ClaimResult>();
  for (const error of reader.list(answered.Errors).map(reader.record)) {
    const owner = owners[reader.index(error.OpIndex)];
    if (owner !== undefined && !failures.has(owner)) failures.set(owner, toResult(reader.text(error.What)));
  }
  if (failures.size === 0) throw unclear();
  return failures;
}

function toResult(text: string): ClaimResult {
  // A quoted text is a key, which a client can choose.
  return /index is stale|failed index check|doesn't exist/.test(text.replace(/"[^"]*"/g, ''))
    ? { kind: 'conflict' }
    : { kind: 'refused', detail: `Consul ${OPERATION}: ${toRefusalText(text)}` };
}

function unclear(): SyncError {
  const message = `Consul ${OPERATION}: answered neither with results nor with errors`;
  return new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true });
}
