import type { ClaimRecord } from '../../model/catalog.js';
import type { ClaimRecords } from '../consul.js';
import { incomplete, readComplete } from './answer.js';
import { claimsFolder, toClaimKey, toKvPath } from './claim-keys.js';
import { writeClaims } from './claims-write.js';
import { createReader, parseRecords } from './json.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

/** KV records at `scopemesh/<owner>/claims/<provider>/<client id>`, each part percent-encoded. */
export function createClaimRecords(transport: Transport, tenancy: Tenancy, owner: string): ClaimRecords {
  const folder = claimsFolder(owner);
  const query = toTenancyQuery(tenancy);

  return {
    async list(signal) {
      const operation = 'claims.list';
      const request = {
        operation,
        path: toKvPath(folder),
        query: { ...query, recurse: '', consistent: '' },
      } as const;
      const answer = await readComplete(transport, request, signal, [200, 404]);
      // An empty 404 with an index means that the key does not exist.
      if (answer.status === 404) {
        if (answer.body.byteLength === 0) return [];
        throw incomplete(operation, 'answered 404 without saying that there is no such key');
      }
      // A key that ends in a slash is a folder that somebody created in Consul's UI.
      const pairs = parseRecords(answer.body, operation).filter(({ Key }) => !String(Key).endsWith('/'));
      return pairs.map((pair) => parseClaim(pair, folder));
    },

    write: (writes, signal) => writeClaims(transport, tenancy, folder, writes, signal),
  };
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
  if (toClaimKey(folder, record) !== key) throw unreadable(key);
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
