import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const ENOUGH_BYTES = 512 * 1024 * 1024;

/**
 * Puts the temporary files of all tests into memory where the system offers that: most of them are state files, whose
 * syncs a disk makes slow. Tests kill processes and never the machine, so nothing depends on what a disk keeps.
 */
export default function useMemoryForTemporaryFiles(): (() => void) | undefined {
  if (process.env.TMPDIR !== undefined || !hasRoom(MEMORY)) return undefined;
  const directory = mkdtempSync(join(MEMORY, 'scopemesh-tests-'));
  process.env.TMPDIR = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}

function hasRoom(path: string): boolean {
  if (!existsSync(path)) return false;
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize >= ENOUGH_BYTES;
}
