import { incomplete } from '../reader.js';
import { parseRecords, readComplete } from './answer.js';
import { toKvPath } from './kv-keys.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** Every key below a folder, without folders. Throws if the list is filtered or not complete in another way. */
export async function listFolder(
  transport: Transport,
  tenancy: Tenancy,
  operation: Operation,
  folder: string,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const request = {
    operation,
    path: toKvPath(folder),
    query: { ...toTenancyQuery(tenancy), recurse: '', consistent: '' },
  } as const;
  const answer = await readComplete(transport, request, signal, [200, 404]);
  // An empty 404 with an index means that the key does not exist.
  if (answer.status === 404) {
    if (answer.body.byteLength === 0) return [];
    throw incomplete(operation, 'answered 404 without saying that there is no such key');
  }
  // A key that ends in a slash is a folder that somebody created in Consul's UI.
  return parseRecords(answer.body, operation).filter(({ Key }) => !String(Key).endsWith('/'));
}
