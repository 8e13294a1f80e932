import { incomplete, isRecord } from '../reader.js';
import { parseJson } from './answer.js';
import type { Operation } from './request.js';

export { createReader, isRecord, type Reader } from '../reader.js';

/** A list of objects. */
export function parseRecords(
  body: Uint8Array,
  operation: Operation,
): readonly Readonly<Record<string, unknown>>[] {
  const list = parseJson(body, operation);
  if (!Array.isArray(list)) throw incomplete(operation, 'the answer is not a list');
  if (!list.every(isRecord)) throw incomplete(operation, 'the list contains a value that is not an object');
  return list;
}
