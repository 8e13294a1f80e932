import { definedFields } from '../../model/defined-fields.js';
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
