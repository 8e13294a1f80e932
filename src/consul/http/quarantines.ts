import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { jsonIn } from '../../model/json-in.js';
import type { QuarantineRecord } from '../../model/quarantine.js';
import type { QuarantineRecords, QuarantineWrite } from '../consul.js';
import { Reader } from '../reader.js';
import type { ConsulClient } from './consul-client.js';
import { toValueText } from './kv-key.js';
import { parseRecordKey, recordFolder, toRecordKey } from './kv-keys.js';
import { listFolder } from './kv-list.js';
import { type KvPlace, writeRecords } from './kv-write.js';

/** KV records at `scopemesh/<owner>/quarantine/<provider>/<client id>`, each part percent-encoded. */
export function createQuarantineRecords(client: ConsulClient, owner: string): QuarantineRecords {
  const folder = recordFolder(owner, 'quarantine');
  return {
    async list(signal) {
      const operation = 'quarantines.list';
      const reader = new Reader(operation);
      const pairs = await listFolder(client, operation, folder, signal);
      return pairs.flatMap((pair) => parseQuarantine(reader.text(pair.Key), pair.Value, folder) ?? []);
    },
    write: (writes, signal) =>
      writeRecords(
        client,
        'quarantines.write',
        writes,
        (write, place) => [toOperation(write, place, folder)],
        signal,
      ),
  };
}

/** Without a compare-and-set: whatever another writer left there is replaced. */
function toOperation(write: QuarantineWrite, place: KvPlace, folder: string): object {
  const key = { Key: toRecordKey(folder, write.record), ...place };
  if (write.do === 'delete') return { KV: { Verb: 'delete', ...key } };
  const { at, receivedAt } = write.record;
  return {
    KV: { Verb: 'set', ...key, Value: Buffer.from(JSON.stringify({ at, receivedAt })).toString('base64') },
  };
}

/**
 * The key alone quarantines the client, because a value that somebody else changed must not end a quarantine, and one bad
 * record must not hide the others. A key that names no client is left out.
 */
function parseQuarantine(key: string, value: unknown, folder: string): QuarantineRecord | undefined {
  const id = parseRecordKey(folder, key);
  return id && { ...id, ...parseInstants(value) };
}

function parseInstants(value: unknown): Pick<QuarantineRecord, 'at' | 'receivedAt'> {
  const parsed = jsonIn(toValueText(value));
  if (!isRecord(parsed)) return {};
  const { at, receivedAt } = parsed;
  return definedFields({ at: toInstant(at), receivedAt: toInstant(receivedAt) });
}

function toInstant(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
