import { type Decoded, decodeShape, type Shape, ShapeError } from './entries/shape.js';
import { badRequest } from './exchange.js';
import { parseJsonBody } from './json-body.js';

/** Reads a body that may hold only the fields of `shape`; throws 400 `<prefix>: <why>`. */
export function decodeStrictBody(body: Buffer, shape: Shape, prefix: string): Decoded {
  const unused: string[] = [];
  const decoded = decodeBody(body, shape, prefix, unused);
  const unknown = unused[0];
  if (unknown === undefined) return decoded;
  throw badRequest(`${prefix}: json: unknown field "${unknown.split('.').at(-1)}"`);
}

/** Reads a body and passes over fields that `shape` lacks; throws 400 `<prefix>: <why>`. */
export function decodeLooseBody(body: Buffer, shape: Shape, prefix: string): Decoded {
  return decodeBody(body, shape, prefix, []);
}

function decodeBody(body: Buffer, shape: Shape, prefix: string, unused: string[]): Decoded {
  const raw = parseJsonBody(body, prefix);
  try {
    return decodeShape(shape, raw ?? {}, '', unused);
  } catch (error) {
    if (error instanceof ShapeError) throw badRequest(`${prefix}: ${error.message}`);
    throw error;
  }
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
export function objectIn(decoded: Decoded, name: string): Decoded | undefined {
  const value = decoded[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined;
}

export function objectsIn(decoded: Decoded, name: string): Decoded[] {
  const value = decoded[name];
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown) => Object.fromEntries(Object.entries(Object(item))));
}
