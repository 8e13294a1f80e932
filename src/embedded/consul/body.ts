import { isRecord } from '../../model/is-record.js';
import { badRequest } from './exchange.js';
import { type Decoded, decodeShape, type Shape, ShapeError } from './shape.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The parsed body; throws 400 `<prefix>: <why>` as Go's decoder words it. */
export function parseJsonBody(body: Buffer, prefix: string): unknown {
  const text = body.toString('utf8');
  if (text.trim() === '') throw badRequest(`${prefix}: EOF`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`${prefix}: ${goSyntaxError(text, String(error))}`);
  }
}

/** Go names the first character that cannot be, or the unexpected end. */
function goSyntaxError(text: string, message: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  const culprit = /Unexpected token '(.)'/su.exec(message)?.[1] ?? text[Number(position ?? text.length)];
  return culprit === undefined
    ? 'unexpected EOF'
    : `invalid character '${culprit}' looking for beginning of value`;
}

/** Decodes a body that may hold only the fields of `shape`; throws 400 `<prefix>: <why>`. */
export function decodeStrict(raw: unknown, shape: Shape, prefix: string): Decoded {
  const unused: string[] = [];
  const decoded = decode(raw, shape, prefix, unused);
  const unknown = unused[0];
  if (unknown === undefined) return decoded;
  throw badRequest(`${prefix}: json: unknown field "${unknown.split('.').at(-1)}"`);
}

/** Reads a body and ignores fields that `shape` lacks; throws 400 `<prefix>: <why>`. */
export function decodeLooseBody(body: Buffer, shape: Shape, prefix: string): Decoded {
  return decode(parseJsonBody(body, prefix) ?? {}, shape, prefix, []);
}

function decode(raw: unknown, shape: Shape, prefix: string, unused: string[]): Decoded {
  try {
    return decodeShape(shape, raw, '', unused);
  } catch (error) {
    if (error instanceof ShapeError) throw badRequest(`${prefix}: ${error.message}`);
    throw error;
  }
}

/** The value of a field by its Go name, which JSON keys match in any case. */
export function fieldOf(object: JsonObject, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  const lowerName = name.toLowerCase();
  const key = Object.keys(object).find((candidate) => candidate.toLowerCase() === lowerName);
  return key === undefined ? undefined : object[key];
}

/** The raw value of a field that Go reads as a map; throws 400 where it is something else. */
export function requireMapField(raw: unknown, name: string, goField: string, goType: string, prefix: string) {
  const value = isRecord(raw) ? fieldOf(raw, name) : undefined;
  if (value === undefined || value === null || isRecord(value)) return;
  const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  throw badRequest(
    `${prefix}: json: cannot unmarshal ${type} into Go struct field ${goField} of type ${goType}`,
  );
}

/** A decoded field as text; empty where absent. */
export function textIn(decoded: Decoded, name: string): string {
  const value = decoded[name];
  return typeof value === 'string' ? value : '';
}

export function numberIn(decoded: Decoded, name: string): number {
  const value = decoded[name];
  return typeof value === 'number' ? value : 0;
}

export function textsIn(decoded: Decoded, name: string): string[] | null {
  const value = decoded[name];
  return Array.isArray(value) ? value.map(String) : null;
}

/** A decoded map of strings, or null where absent. */
export function textMapIn(decoded: Decoded, name: string): Record<string, string> | null {
  const value = decoded[name];
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, String(inner)]));
}

/** A decoded inner object, or undefined where absent. */
export function objectIn(decoded: Decoded | undefined, name: string): Decoded | undefined {
  const value = decoded?.[name];
  return isRecord(value) ? { ...value } : undefined;
}

export function objectsIn(decoded: Decoded | undefined, name: string): Decoded[] {
  const value = decoded?.[name];
  return Array.isArray(value) ? value.map((item: unknown) => ({ ...Object(item) })) : [];
}

/** The fields that are not empty: Consul leaves out the others. */
export function withoutEmpty<Fields extends object>(fields: Fields): NonEmpty<Fields> {
  const kept = Object.entries(fields).filter(([, value]) => !isEmpty(value));
  return Object.fromEntries(kept) as NonEmpty<Fields>;
}

type NonEmpty<Fields> = { [Name in keyof Fields]?: NonNullable<Fields[Name]> };

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}
