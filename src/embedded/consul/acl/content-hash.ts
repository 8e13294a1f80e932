import { createHash } from 'node:crypto';

/** A hash of the content that matters, by which replicas compare; its value differs from the real server's. */
export function contentHash(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
