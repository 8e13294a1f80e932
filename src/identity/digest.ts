import { createHash } from 'node:crypto';

/** The SHA-256 of a JSON value, in base64url. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}
