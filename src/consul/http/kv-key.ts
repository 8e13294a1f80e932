import { incomplete, Reader } from '../reader.js';
import { type CompleteAnswer, parseJson, parseVerdict, readComplete, readListed } from './answer.js';
import { toKvPath } from './kv-keys.js';
import { toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** A key as it is; `text` is its value, and empty without one. */
interface KvKey {
  readonly text: string;
  /** The session that holds its lock. */
  readonly session: string | undefined;
}

/** One key, read with `?consistent`; undefined if it does not exist. */
export async function readKey(
  transport: Transport,
  key: string,
  operation: Operation,
  signal: AbortSignal,
): Promise<KvKey | undefined> {
  const query = { ...toTenancyQuery(transport.tenancy), consistent: '' };
  const request = { operation, path: toKvPath(key), query };
  return keyIn(await readComplete(transport, request, signal, [200, 404]), operation);
}

export function keyIn({ status, body }: CompleteAnswer, operation: Operation): KvKey | undefined {
  if (status === 404) return undefined;
  const reader = new Reader(operation);
  const [pair] = reader.list(parseJson(body, operation));
  if (pair === undefined) throw incomplete(operation, 'the answer has no key');
  const { Key, Value, Session } = reader.record(pair);
  reader.text(Key);
  return {
    text: toText(Value),
    session: typeof Session === 'string' && Session !== '' ? Session : undefined,
  };
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
  transport: Transport,
  operation: Operation,
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
    return [
      {
        key,
        text: toText(raw.Value),
        modifyIndex: reader.index(raw.ModifyIndex),
        ...(size === undefined ? {} : { size }),
      },
    ];
  });
}

/** Resolves with Consul's verdict. `cas`: the index that the key must have. */
export async function putKey(
  transport: Transport,
  key: string,
  value: string,
  {
    operation,
    signal,
    cas,
  }: { readonly operation: Operation; readonly signal: AbortSignal; readonly cas?: number },
): Promise<boolean> {
  const query = { ...toTenancyQuery(transport.tenancy), ...(cas === undefined ? {} : { cas: String(cas) }) };
  const request = { operation, method: 'PUT', path: toKvPath(key), query, body: value } as const;
  return parseVerdict(await transport.send(request, signal), operation);
}

/** The text of a value, which Consul encodes; empty for a key without one. */
function toText(value: unknown): string {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : '';
}
