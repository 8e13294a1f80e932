import type { ClaimRecord } from '../../model/catalog.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ClaimRecords, ClaimWrite } from '../consul.js';
import { createReader, incomplete } from '../reader.js';
import { recordFolder, toRecordKey } from './kv-keys.js';
import { listFolder } from './kv-list.js';
import { writeRecords } from './kv-write.js';
import type { Tenancy } from './place.js';
import type { Transport } from './transport.js';

/** KV records at `scopemesh/<owner>/claims/<provider>/<client id>`, each part percent-encoded. */
export function createClaimRecords(transport: Transport, tenancy: Tenancy, owner: string): ClaimRecords {
  const folder = recordFolder(owner, 'claims');
  return {
    async list(signal) {
      const pairs = await listFolder(transport, tenancy, 'claims.list', folder, signal);
      return pairs.map((pair) => parseClaim(pair, folder));
    },
    write: (writes, signal) =>
      writeRecords(
        transport,
        'claims.write',
        writes,
        (write) => toOperations(write, tenancy, folder),
        signal,
      ),
  };
}

/** `delete-cas` of a missing key succeeds, so a separate operation, which fails for a missing key, checks the index. */
function toOperations(write: ClaimWrite, tenancy: Tenancy, folder: string): readonly object[] {
  const { provider, clientId, service } = write.record;
  const place = {
    Key: toRecordKey(folder, write.record),
    ...definedFields({ Namespace: tenancy.namespace, Partition: tenancy.partition }),
  };
  const value = Buffer.from(JSON.stringify({ provider, clientId, service })).toString('base64');
  return write.do === 'create'
    ? [{ KV: { Verb: 'cas', ...place, Value: value, Index: 0 } }]
    : [
        { KV: { Verb: 'check-index', ...place, Index: write.record.modifyIndex } },
        { KV: { Verb: 'delete-cas', ...place, Index: write.record.modifyIndex } },
      ];
}

/** An unreadable record makes the whole list unknown, because a claim must not be lost silently. */
function parseClaim(pair: Readonly<Record<string, unknown>>, folder: string): ClaimRecord {
  const operation = 'claims.list';
  const reader = createReader(operation);
  const key = reader.text(pair.Key);
  const value = reader.record(parseClaimJson(reader.optionalText(pair.Value), key));
  const service = reader.record(value.service);
  const record = {
    provider: reader.text(value.provider),
    clientId: reader.text(value.clientId),
    service: {
      partition: reader.text(service.partition),
      namespace: reader.text(service.namespace),
      name: reader.text(service.name),
    },
    modifyIndex: reader.index(pair.ModifyIndex),
  };
  if (toRecordKey(folder, record) !== key) throw unreadable(key);
  return record;
}

function parseClaimJson(base64: string, key: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
  } catch {
    throw unreadable(key);
  }
}

function unreadable(key: string) {
  return incomplete(
    'claims.list',
    `the record ${JSON.stringify(key.slice(0, 200))} was not written by scopemesh; delete it`,
  );
}
