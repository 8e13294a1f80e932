import { compareText } from '../model/compare-text.js';
import { isRecord } from '../model/is-record.js';
import type { Raw } from './reader.js';

/**
 * Fields that Consul computes: dropped before a write and ignored in a comparison. Hash (newer versions) is a 64-bit number
 * that JavaScript cannot represent.
 */
const COMPUTED = new Set(['CreateIndex', 'ModifyIndex', 'Hash']);

export function isComputedField(name: string): boolean {
  return COMPUTED.has(name);
}

/** The fields of the entry for a PUT. */
export function withoutComputed(raw: Raw): Raw {
  return Object.fromEntries(Object.entries(raw).filter(([name]) => !isComputedField(name)));
}

/**
 * Whether two raw entries are equal apart from what Consul changes itself: it sorts sources by a computed Precedence, fills
 * in the Type, and writes or omits zero values.
 */
export function isSameContent(a: Raw, b: Raw): boolean {
  return toComparable(a) === toComparable(b);
}

function toComparable(entry: Raw): string {
  const { Sources: sources, Meta: meta, Namespace, Partition, ...rest } = withoutComputed(entry);
  const list = Array.isArray(sources)
    ? sources.map((source) => JSON.stringify(toComparableSource(source)))
    : [];
  return JSON.stringify([
    toPlain(rest),
    notDefault(Namespace),
    notDefault(Partition),
    // An empty value in Meta is significant.
    isRecord(meta) ? Object.entries(meta).toSorted(byName) : [],
    list.toSorted(),
  ]);
}

function toComparableSource(source: unknown): unknown {
  if (!isRecord(source)) return source;
  const { Precedence: _, Type: type, Namespace, Partition, ...rest } = source;
  return [
    toPlain(rest),
    type === '' ? 'consul' : (type ?? 'consul'),
    notDefault(Namespace),
    notDefault(Partition),
  ];
}

/** Sorted pairs without zero values; undefined where nothing is left. */
function toPlain(value: unknown, field = ''): unknown {
  if (Array.isArray(value)) {
    if (value.length === 0) return undefined;
    // An empty element still counts as an element. Consul writes methods in upper case.
    const items = value.map((item) => toPlain(item) ?? null);
    return field === 'Methods'
      ? items.map((item) => (typeof item === 'string' ? item.toUpperCase() : item))
      : items;
  }
  if (isRecord(value)) {
    const pairs = Object.entries(value)
      .map(([name, inner]): [string, unknown] => [name, toPlain(inner, name)])
      .filter(([, inner]) => inner !== undefined);
    return pairs.length === 0 ? undefined : pairs.toSorted(byName);
  }
  return value === null || value === '' || value === false || value === 0 ? undefined : value;
}

function notDefault(value: unknown): unknown {
  return value === undefined || value === null || value === '' || value === 'default' ? null : value;
}

function byName(a: [string, unknown], b: [string, unknown]): number {
  return compareText(a[0], b[0]);
}
