import { isRecord } from '../../model/is-record.js';
import { incomplete, type Raw } from '../reader.js';
import type { ConsulClient } from './consul-client.js';
import type { Operation } from './request.js';

/** Every key below a folder, without folders; `Value` is its text. Throws if the list is filtered or incomplete in another way. */
export async function listFolder(
  client: ConsulClient,
  operation: Operation,
  folder: string,
  signal: AbortSignal,
): Promise<readonly Raw[]> {
  const { answer, value } = await client.call({ operation, signal, expected: [200, 404] }, (api, given) =>
    api.kv.get({ key: folder, recurse: true, consistent: true, ...given }),
  );
  // An empty 404 with an index means that the key does not exist.
  if (answer.status === 404) {
    if (answer.body.byteLength === 0) return [];
    throw incomplete(operation, 'answered 404 without saying that there is no such key');
  }
  if (!Array.isArray(value)) throw incomplete(operation, 'the answer is not a list');
  if (!value.every(isRecord)) throw incomplete(operation, 'the list contains a value that is not an object');
  // A key that ends in a slash is a folder that somebody created in Consul's UI.
  return value.filter(({ Key }) => !String(Key).endsWith('/'));
}
