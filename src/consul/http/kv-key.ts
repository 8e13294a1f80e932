import { definedFields } from '../../model/defined-fields.js';
import { parseRecords, readComplete } from './answer.js';
import { toKvPath } from './kv-keys.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** One key, read with `?consistent`; undefined if it does not exist. `Value` is base64. */
export async function readKey(
  transport: Transport,
  tenancy: Tenancy,
  operation: Operation,
  key: string,
  signal: AbortSignal,
  timeoutMs?: number,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const request = {
    operation,
    path: toKvPath(key),
    query: { ...toTenancyQuery(tenancy), consistent: '' },
    ...definedFields({ timeoutMs }),
  } as const;
  const answer = await readComplete(transport, request, signal, [200, 404]);
  return answer.status === 404 ? undefined : parseRecords(answer.body, operation)[0];
}

/** The text of a value; empty for a key without one. */
export function toValueText(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : '', 'base64').toString('utf8');
}
