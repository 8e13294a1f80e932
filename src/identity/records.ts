import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ClientUnreadable } from '../errors.js';
import { jsonIn } from '../model/json-in.js';
import { safeParse } from '../safe-parse.js';
import type { UnreadableClient } from './directory.js';
import { WrongShape, wrongShape } from './read-errors.js';

/** A list record: its value, or why it is invalid. `id` is a digest if the record has no ID. */
export type ListRecord<T> =
  | { readonly id: string; readonly value: T; readonly fault?: undefined }
  | { readonly id: string; readonly fault: string; readonly raw: unknown };

type InvalidRecord = Extract<ListRecord<unknown>, { fault: string }>;

/** A list entry that is parsed on its own, so that an invalid record does not affect the others. */
export function recordOf<T>(entry: z.ZodType<T>, idField: string): z.ZodType<ListRecord<T>> {
  return z.unknown().transform((raw): ListRecord<T> => {
    const parsed = safeParse(entry, raw);
    const id = textIn(raw, idField) ?? `?${createHash('sha256').update(JSON.stringify(raw)).digest('hex')}`;
    return parsed.success ? { id, value: parsed.data } : { id, fault: faultOf(parsed.error), raw };
  });
}

export function validRecords<T>(records: readonly ListRecord<T>[]): readonly T[] {
  return records.flatMap((record) => (record.fault === undefined ? [record.value] : []));
}

export function invalidRecords<T>(records: readonly ListRecord<T>[]): readonly InvalidRecord[] {
  return records.flatMap((record) => (record.fault === undefined ? [] : [record]));
}

/** What is known of a record: its value, or, if it is invalid, the JSON as received. */
export function contentOf(record: ListRecord<unknown>): unknown {
  return record.fault === undefined ? record.value : record.raw;
}

/** A non-empty string in untrusted JSON. */
export function textIn(value: unknown, ...path: readonly string[]): string | undefined {
  let at = value;
  for (const name of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined;
  return typeof at === 'string' && at !== '' ? at : undefined;
}

export function toUnreadable(clientId: string | undefined, why: string): UnreadableClient {
  return clientId === undefined ? { why } : { clientId, why };
}

/** If no record of a list is valid, the fault is in the answer: a new API version, or rights that show records in part. */
export function requireValidRecord(records: readonly ListRecord<unknown>[], place: string): void {
  const [first] = invalidRecords(records);
  if (first === undefined || validRecords(records).length > 0) return;
  throw wrongShape(place, `no record can be read: ${first.fault}`);
}

/** Runs a read that concerns one client: a WrongShape makes only this client unreadable. */
export async function readForClient<T>(
  clientId: string | undefined,
  place: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof WrongShape)) throw error;
    throw new ClientUnreadable(place, clientId, error.message);
  }
}

/** The value in its documented shape, or WrongShape. */
export function parseShape<T>(shape: z.ZodType<T>, value: unknown, place: string): T {
  const parsed = safeParse(shape, value);
  if (parsed.success) return parsed.data;
  throw wrongShape(place, faultOf(parsed.error, 'the answer'));
}

/** The JSON that an earlier run stored, or undefined if another version wrote it in another form. */
export function parseStored<T>(shape: z.ZodType<T>, text: string | undefined): T | undefined {
  return safeParse(shape, jsonIn(text ?? 'null')).data;
}

/** Names the field that is wrong. The value is left out, because it is untrusted and may be secret. */
function faultOf(error: z.ZodError, whole = 'the record'): string {
  const at = (error.issues[0]?.path ?? []).map((part) => JSON.stringify(part)).join('.');
  return `${at === '' ? whole : at.slice(0, 100)} does not have the documented form`;
}
