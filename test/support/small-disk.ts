import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own in memory, which a test may fill. */
export interface SmallDisk {
  readonly directory: string;
  /** Takes the last byte. */
  fill(): void;
  free(): void;
  close(): void;
}

/** Undefined where this process may not mount one. */
export function mountSmallDisk(megabytes: number): SmallDisk | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', directory], {
      stdio: 'ignore',
    });
  } catch {
    rmSync(directory, { recursive: true });
    return undefined;
  }
  const filler = join(directory, 'filler');
  return {
    directory,
    fill() {
      const fd = openSync(filler, 'a');
      for (let length = 1024 * 1024; length >= 1; length = Math.floor(length / 2)) writeWhileRoom(fd, length);
      closeSync(fd);
    },
    free: () => rmSync(filler, { force: true }),
    close() {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function writeWhileRoom(fd: number, length: number): void {
  const bytes = Buffer.alloc(length);
  try {
    while (writeSync(fd, bytes) === length);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
  }
}
