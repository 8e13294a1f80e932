import type { ClaimRecord } from '../../model/catalog.js';
import type { Logger } from '../../observe.js';
import type { ClaimRecords, ClaimWrite } from '../consul.js';
import { type Raw, Reader } from '../reader.js';
import type { ConsulClient } from './consul-client.js';
import { listFolder, toValueText } from './kv-key.js';
import { parseRecordKey, recordFolder, toRecordKey } from './kv-keys.js';
import { type KvOperation, recordWriter } from './kv-write.js';

/** KV records at `scopemesh/<owner>/claims/<provider>/<client id>`, each part percent-encoded. */
export function createClaimRecords(client: ConsulClient, owner: string, logger: Logger): ClaimRecords {
  const folder = recordFolder(owner, 'claims');
  let reported = '';
  const report = (unreadable: readonly string[]) => {
    const [first = ''] = unreadable;
    if (first !== '' && first !== reported)
      logger.warn(
        { records: unreadable.length, first: first.slice(0, 200) },
        'keys in Consul cannot be read as records of claims; a client that such a key names gains no access; delete these keys',
      );
    reported = first;
  };
  return {
    async list(signal) {
      const reader = new Reader('claims.list');
      const unreadable: string[] = [];
      const pairs = await listFolder(client, 'claims.list', folder, signal);
      const records = pairs.flatMap((pair) => {
        const key = reader.text(pair.Key);
        const record = parseClaim(pair, key, folder, reader);
        if (record === undefined || record.unreadableKey !== undefined) unreadable.push(key);
        return record ?? [];
      });
      report(unreadable);
      return records;
    },
    write: recordWriter(client, 'claims.write', (write) => toOperations(write, folder)),
  };
}

/** `delete-cas` of a missing key succeeds, so a separate operation, which fails for a missing key, checks the index. */
function toOperations(write: ClaimWrite, folder: string): readonly KvOperation[] {
  const { provider, clientId, service } = write.record;
  const key = toRecordKey(folder, write.record);
  if (write.do === 'create')
    return [{ verb: 'cas', key, value: JSON.stringify({ provider, clientId, service }), index: 0 }];
  const { modifyIndex: index } = write.record;
  return [
    { verb: 'check-index', key, index },
    { verb: 'delete-cas', key, index },
  ];
}

const NOWHERE = { partition: '', namespace: '', name: '' };

/**
 * One bad record must not hide the others. The key alone says whose claim is unknown; undefined for a key that names no
 * client.
 */
function parseClaim(pair: Raw, key: string, folder: string, reader: Reader): ClaimRecord | undefined {
  const id = parseRecordKey(folder, key);
  if (id === undefined) return undefined;
  const modifyIndex = reader.index(pair.ModifyIndex);
  try {
    const value = reader.record(JSON.parse(toValueText(pair.Value)));
    const rawService = reader.record(value.service);
    const place = {
      partition: reader.text(rawService.partition),
      namespace: reader.text(rawService.namespace),
      name: reader.text(rawService.name),
    };
    if (value.provider === id.provider && value.clientId === id.clientId)
      return { ...id, service: place, modifyIndex };
  } catch {
    // It was written by somebody else.
  }
  return { ...id, service: NOWHERE, modifyIndex, unreadableKey: key };
}
