import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a directory and what is missing above it, for this user alone. Throws the system's error. Not by `recursive`
 * of Node: where a file system answers ENOENT although the parent is there, as /proc does, that tries forever.
 */
export function makeDirectory(directory: string): void {
  const path = resolve(directory);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    const parent = dirname(path);
    const isParentMissing =
      error instanceof Error && 'code' in error && error.code === 'ENOENT' && !existsSync(parent);
    if (!isParentMissing) throw error;
    makeDirectory(parent);
    makeDirectory(path);
  }
}
