import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESERVED_BYTES } from '../../src/queue/store-space.js';

/** Puts a file without blocks where a store would write its reserve of 64 MiB. For tests that fill no disk. */
export function makeSparseReserve(directory: string): void {
  const path = join(directory, 'space.reserve');
  if (existsSync(path)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(path, '', { mode: 0o600 });
  truncateSync(path, RESERVED_BYTES);
}
