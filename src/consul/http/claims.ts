import type { ClaimRecord } from '../../model/catalog.js';
import type { ClaimRecords, ClaimWrite } from '../consul.js';
import { Reader } from '../reader.js';
import { type KvPair, listFolder } from './kv-key.js';
import { parseRecordKey, recordFolder, toRecordKey } from './kv-keys.js';
import { type KvOperation, recordWriter } from './kv-write.js';
import type { Transport } from './transport.js';
import type { Found, UnreadableEntries } from './unreadable-entries.js';

/** KV records at `scopemesh/<owner>/claims/<provider>/<client id>`, each part percent-encoded. */
export function createClaimRecords(
  transport: Transport,
  owner: string,
  unreadable: UnreadableEntries,
): ClaimRecords {
  const folder = recordFolder(owner, 'claims');
  return {
    async list(signal) {
      const found: Found[] = [];
      const pairs = await listFolder(transport, 'claims.list', folder, signal);
      const records = pairs.flatMap((pair) => {
        const record = parseClaim(pair, folder);
        if (record === undefined || record.unreadableKey !== undefined)
          found.push({ name: pair.key, size: pair.size, why: NO_CLAIM });
        return record ?? [];
      });
      unreadable.put('kv', 'claims.list', found);
      return records;
    },
    write: recordWriter(transport, 'claims.write', (write) => toOperations(write, folder)),
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

const NO_CLAIM = 'it is no record of a claim; a client that it names gains no access; delete the key';
const NOWHERE = { partition: '', namespace: '', name: '' };

/**
 * One bad record must not hide the others. The key alone says whose claim is unknown; undefined for a key that names no
 * client.
 */
function parseClaim({ key, text, modifyIndex }: KvPair, folder: string): ClaimRecord | undefined {
  const reader = new Reader('claims.list');
  const id = parseRecordKey(folder, key);
  if (id === undefined) return undefined;
  try {
    const value = reader.record(JSON.parse(text));
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
