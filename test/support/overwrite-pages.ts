import { closeSync, openSync, statSync, writeSync } from 'node:fs';

const PAGE_BYTES = 4096;

/** Overwrites every page of a state file but the first, which says that it is one. */
export function overwritePages(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(statSync(path).size - PAGE_BYTES, 0x55), 0, undefined, PAGE_BYTES);
  closeSync(file);
}

/** Then SQLite does not know that it is a state file. */
export function overwriteFirstPage(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(PAGE_BYTES, 0x55), 0, undefined, 0);
  closeSync(file);
}
