import { compareText } from '../../model/compare-text.js';
import { goDurationError, parseGoDuration } from '../../model/go-duration.js';

type FieldKind =
  | 'string'
  | 'int'
  | 'bool'
  /** Nanoseconds; read from a Go duration too. */
  | 'duration'
  | 'strings'
  | 'string-map'
  | 'any-map'
  | 'any'
  | 'time'
  | { readonly object: Shape }
  | { readonly pointer: Shape }
  | { readonly list: Shape }
  | { readonly map: Shape };

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  /** Left out of the JSON when it holds its zero value. */
  readonly omitEmpty: boolean;
}

/** A Go structure in small: its fields in the order in which it is written. */
export type Shape = readonly Field[];

export type Decoded = Record<string, unknown>;

/** The fields of one kind, by name; a `?` marks those that are left out when empty: `string('Kind Name Meta?')`. */
type Fields = (names: string) => Shape;

export const string: Fields = (names) => fields('string', names);
export const int: Fields = (names) => fields('int', names);
export const bool: Fields = (names) => fields('bool', names);
export const duration: Fields = (names) => fields('duration', names);
export const time: Fields = (names) => fields('time', names);
export const strings: Fields = (names) => fields('strings', names);
export const stringMap: Fields = (names) => fields('string-map', names);
export const anyMap: Fields = (names) => fields('any-map', names);
export const any: Fields = (names) => fields('any', names);
/** An inner structure. */
export const object = (names: string, ...of: readonly Shape[]) => fields({ object: of.flat() }, names);
/** An inner structure that may be null. */
export const pointer = (names: string, ...of: readonly Shape[]) => fields({ pointer: of.flat() }, names);
export const list = (names: string, ...of: readonly Shape[]) => fields({ list: of.flat() }, names);
export const map = (names: string, ...of: readonly Shape[]) => fields({ map: of.flat() }, names);

function fields(kind: FieldKind, names: string): Shape {
  return names
    .split(' ')
    .map((name) => ({ name: name.replace('?', ''), kind, omitEmpty: name.endsWith('?') }));
}

export class ShapeError extends Error {}

/**
 * Reads `raw` by `shape`, loosely as Consul does: names in any case and with or without underscores, numbers as
 * strings and the reverse, one element in place of a list. Collects unknown keys in `unused`. The result has
 * every field of the shape in its order, except empty ones that are marked with `?`. Throws ShapeError with Consul's text.
 */
export function decodeShape(shape: Shape, raw: unknown, path: string, unused: string[]): Decoded {
  const source = asMap(raw, path);
  const decoded: Decoded = {};
  const taken = new Set<string>();
  for (const field of shape) {
    const key = findKey(source, field.name);
    if (key !== undefined) taken.add(key);
    const at = path === '' ? field.name : `${path}.${field.name}`;
    const value = decodeField(field.kind, key === undefined ? undefined : source[key], at, unused);
    if (field.omitEmpty && isEmpty(value)) continue;
    decoded[field.name] = value;
  }
  for (const key of Object.keys(source)) {
    if (!taken.has(key)) unused.push(path === '' ? key : `${path}.${key}`);
  }
  return decoded;
}

function findKey(source: Readonly<Record<string, unknown>>, name: string): string | undefined {
  if (Object.hasOwn(source, name)) return name;
  const lowerName = name.toLowerCase();
  return Object.keys(source).find((key) => {
    return key.toLowerCase() === lowerName || key.toLowerCase().replaceAll('_', '') === lowerName;
  });
}

function decodeField(kind: FieldKind, value: unknown, path: string, unused: string[]): unknown {
  const isAbsent = value === undefined || value === null;
  if (typeof kind === 'object') {
    if ('object' in kind) return decodeShape(kind.object, value ?? {}, path, unused);
    if (isAbsent) return null;
    if ('pointer' in kind) return decodeShape(kind.pointer, value, path, unused);
    if ('list' in kind)
      return asList(value).map((item, at) => decodeShape(kind.list, item, `${path}[${at}]`, unused));
    return mapValues(value, path, (inner, at) => decodeShape(kind.map, inner, at, unused));
  }
  switch (kind) {
    case 'string':
      return decodeString(value, path);
    case 'int':
      return decodeInt(value, path);
    case 'bool':
      return decodeBool(value, path);
    case 'duration':
      return decodeDuration(value, path);
    case 'any':
      return value ?? null;
    case 'time':
      return isAbsent ? null : decodeString(value, path);
    case 'strings':
      return isAbsent ? null : asList(value).map((item, at) => decodeString(item, `${path}[${at}]`));
    case 'any-map':
      return isAbsent ? null : asMap(value, path);
    case 'string-map':
      return isAbsent ? null : mapValues(value, path, decodeString);
  }
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** Sorted by key, as Go writes maps. */
function mapValues(value: unknown, path: string, decode: (inner: unknown, path: string) => unknown): Decoded {
  const entries = Object.entries(asMap(value, path)).sort(([left], [right]) => compareText(left, right));
  return Object.fromEntries(entries.map(([key, inner]) => [key, decode(inner, `${path}[${key}]`)]));
}

function decodeString(value: unknown, path: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  throw unconvertible(path, 'string', value);
}

function decodeInt(value: unknown, path: string): number {
  if (value === undefined || value === null || value === '') return 0;
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    if (/^[+-]?\d+$/.test(value)) return Number(value);
    throw new ShapeError(
      `cannot parse '${path}' as int: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }
  throw unconvertible(path, 'int', value);
}

function decodeDuration(value: unknown, path: string): number {
  if (typeof value !== 'string' || value === '') return decodeInt(value, path);
  const parsed = parseGoDuration(value);
  if (parsed !== undefined) return parsed;
  throw new ShapeError(`error decoding '${path}': ${goDurationError(value)}`);
}

function decodeBool(value: unknown, path: string): boolean {
  if (value === undefined || value === null || value === '') return false;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'string') {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw new ShapeError(
      `cannot parse '${path}' as bool: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }
  throw unconvertible(path, 'bool', value);
}

function asMap(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value));
  if (Array.isArray(value) && value.length === 1) return asMap(value[0], `${path}[0]`);
  throw new ShapeError(`'${path}' expected a map, got '${goKind(value)}'`);
}

function unconvertible(path: string, expected: string, value: unknown): ShapeError {
  return new ShapeError(
    `'${path}' expected type '${expected}', got unconvertible type '${goType(value)}', value: '${goValue(value)}'`,
  );
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'map';
}

export function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  return typeof value === 'object' ? 'map[string]interface {}' : goKind(value);
}

export function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).sort(([left], [right]) => compareText(left, right));
    return `map[${pairs.map(([key, inner]) => `${key}:${goValue(inner)}`).join(' ')}]`;
  }
  return value === null ? '<nil>' : String(value);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true;
  return Array.isArray(value) && value.length === 0;
}
