import { isRecord } from './is-record.js';

/*
 * `.` and `..` are steps of a path, also percent-encoded, so no path can name a thing that is called so. A name of `~`s and
 * then one of the two gets another `~` in front.
 */

/** A name as one part of a path. */
export function toSegment(name: string): string {
  return encodeURIComponent(/^~*\.\.?$/.test(name) ? `~${name}` : name);
}

/** The name in a part of a path that is decoded already. */
export function fromSegment(part: string): string {
  return /^~+\.\.?$/.test(part) ? part.slice(1) : part;
}

/** The names in the parameters of a path. */
export function fromSegments(params: unknown): Readonly<Record<string, string>> {
  if (!isRecord(params)) return {};
  return Object.fromEntries(Object.entries(params).map(([key, part]) => [key, fromSegment(String(part))]));
}
