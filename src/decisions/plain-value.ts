import { Secret } from '../model/secret.js';

const MASK = '[secret]';
/** Three base64url parts of which the first is a JSON object: a JWT, wherever it came from. */
const JWT = /\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*/g;
/** Requires a digit or a minimum length, so that `basic permissions` is not masked. */
const CREDENTIALS = /\b(Bearer|Basic)\s+(?=\S*\d|\S{24})[A-Za-z0-9._~+/=-]{8,}/gi;
const SECRET_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-consul-token',
  'x-api-key',
]);
const HEADER_VALUES = new Set(['exact', 'prefix', 'suffix', 'regex']);
/** Deeper than any resource; ends the walk over a value that refers to itself. */
const MAX_DEPTH = 32;

/**
 * The value in the form of JSON, with secrets masked: a `Secret`, a JWT, the credentials of an Authorization header, and
 * the value that a header match compares with such a header.
 */
export function toPlainValue(value: unknown, depth = 0): unknown {
  if (value instanceof Secret) return MASK;
  if (typeof value === 'string') return toPlainText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return null;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((element) => toPlainValue(element, depth + 1));
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  const secretHeader = entries.some(
    ([key, name]) =>
      String(key).toLowerCase() === 'name' &&
      typeof name === 'string' &&
      SECRET_HEADERS.has(name.toLowerCase()),
  );
  const plain: Record<string, unknown> = {};
  for (const [key, element] of entries) {
    if (element === undefined || typeof element === 'function' || typeof element === 'symbol') continue;
    const name = String(key);
    const masked = secretHeader && typeof element === 'string' && HEADER_VALUES.has(name.toLowerCase());
    plain[name] = masked ? MASK : toPlainValue(element, depth + 1);
  }
  return plain;
}

/** The text with JWTs and Authorization credentials masked. */
export function toPlainText(text: string): string {
  return text.replace(JWT, MASK).replace(CREDENTIALS, `$1 ${MASK}`);
}
