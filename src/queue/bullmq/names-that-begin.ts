import type { Redis } from 'ioredis';

const SCANNED_AT_ONCE = 2000;

/** The names of keys that begin so, some at a time. A name can come twice. */
export async function* namesThatBegin(redis: Redis, begins: string): AsyncIterable<readonly string[]> {
  let cursor = '0';
  do {
    const [next, names] = await redis.scan(cursor, 'MATCH', `${quote(begins)}*`, 'COUNT', SCANNED_AT_ONCE);
    yield names;
    cursor = next;
  } while (cursor !== '0');
}

/** Escapes the text for a pattern that matches only it. */
function quote(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&');
}
