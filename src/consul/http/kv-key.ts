import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import type { CallOptions, CallResult, ConsulClient } from './consul-client.js';

/** One key, read with `?consistent`; undefined if it does not exist. `Value` is its text. */
export async function readKey(
  client: ConsulClient,
  key: string,
  options: Omit<CallOptions, 'expected'>,
): Promise<Raw | undefined> {
  const { answer, value } = await client.call({ ...options, expected: [200, 404] }, (api, given) =>
    api.kv.get({ key, consistent: true, ...given }),
  );
  if (answer.status === 404) return undefined;
  if (value === undefined) throw incomplete(options.operation, 'the answer has no key');
  return new Reader(options.operation).record(value);
}

/** Every key below a folder, without folders; `Value` is its text. Throws if the list is filtered or incomplete in another way. */
export async function listFolder(
  client: ConsulClient,
  operation: CallOptions['operation'],
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

/** `cas`: the index that the key must have. `acquire`: the session that takes its lock. */
export function putKey(
  client: ConsulClient,
  key: string,
  value: string,
  { cas, acquire, ...options }: CallOptions & { readonly cas?: number; readonly acquire?: string },
): Promise<CallResult> {
  const checks = definedFields({ cas, acquire });
  return client.call(options, (api, given) => api.kv.set({ key, value, ...checks, ...given }));
}

/** The text of a value, which the package has decoded; empty for a key without one. */
export function toValueText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
