import { definedFields } from '../../model/defined-fields.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import { readListed } from './answer.js';
import type { CallOptions, CallResult, ConsulClient } from './consul-client.js';
import { toKvPath } from './kv-keys.js';
import { toTenancyQuery } from './place.js';

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

/** A key and its value. */
export interface KvPair {
  readonly key: string;
  /** Empty without a value, and for one that is too large to be read. */
  readonly text: string;
  readonly modifyIndex: number;
  /** Bytes of a pair that is too large. */
  readonly size?: number;
}

/** Every key below a folder, without folders. Throws if the list is filtered or incomplete in another way. */
export async function listFolder(
  { transport }: Pick<ConsulClient, 'transport'>,
  operation: CallOptions['operation'],
  folder: string,
  signal: AbortSignal,
): Promise<readonly KvPair[]> {
  const query = { ...toTenancyQuery(transport.tenancy), recurse: '', consistent: '' };
  const request = { operation, path: toKvPath(folder), query } as const;
  const { status, body, list } = await readListed(transport, request, signal, { expected: [200, 404] });
  // An empty 404 with an index means that the key does not exist.
  if (status === 404 && body.byteLength > 0)
    throw incomplete(operation, 'answered 404 without saying that there is no such key');
  const reader = new Reader(operation);
  return list.flatMap(({ raw, size }): readonly KvPair[] => {
    const key = reader.text(raw.Key);
    // A key that ends in a slash is a folder that somebody created in Consul's UI.
    if (key.endsWith('/')) return [];
    const text = typeof raw.Value === 'string' ? Buffer.from(raw.Value, 'base64').toString() : '';
    return [
      { key, text, modifyIndex: reader.index(raw.ModifyIndex), ...(size === undefined ? {} : { size }) },
    ];
  });
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
