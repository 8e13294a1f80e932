import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { jsonIn } from '../../model/json-in.js';
import type { QuarantineRecord } from '../../model/quarantine.js';
import type { QuarantineRecords, QuarantineWrite } from '../consul.js';
import { listFolder } from './kv-key.js';
import { parseRecordKey, recordFolder, toRecordKey } from './kv-keys.js';
import { type KvOperation, recordWriter } from './kv-write.js';
import type { Transport } from './transport.js';

/** KV records at `scopemesh/<owner>/quarantine/<provider>/<client id>`, each part percent-encoded. */
export function createQuarantineRecords(transport: Transport, owner: string): QuarantineRecords {
  const folder = recordFolder(owner, 'quarantine');
  return {
    async list(signal) {
      const operation = 'quarantines.list';
      const pairs = await listFolder(transport, operation, folder, signal);
      return pairs.flatMap(({ key, text }) => parseQuarantine(key, text, folder) ?? []);
    },
    write: recordWriter(transport, 'quarantines.write', (write) => [toOperation(write, folder)]),
  };
}

/** Without a compare-and-set: whatever another writer left there is replaced. */
function toOperation(write: QuarantineWrite, folder: string): KvOperation {
  const key = toRecordKey(folder, write.record);
  const { at, receivedAt } = write.record;
  if (write.do === 'delete') return { verb: 'delete', key };
  return { verb: 'set', key, value: JSON.stringify({ at, receivedAt }) };
}

/**
 * The key alone quarantines the client, because a value that somebody else changed must not end a quarantine, and one bad
 * record must not hide the others. A key that names no client is left out.
 */
function parseQuarantine(key: string, text: string, folder: string): QuarantineRecord | undefined {
  const id = parseRecordKey(folder, key);
  return id && { ...id, ...parseInstants(text) };
}

function parseInstants(text: string): Pick<QuarantineRecord, 'at' | 'receivedAt'> {
  const parsed = jsonIn(text);
  if (!isRecord(parsed)) return {};
  const { at, receivedAt } = parsed;
  return definedFields({ at: toInstant(at), receivedAt: toInstant(receivedAt) });
}

function toInstant(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
