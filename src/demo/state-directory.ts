import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { configError, messageOf } from '../errors.js';
import { makeDirectory } from '../make-directory.js';

export interface StateDirectory {
  /** Absolute. */
  readonly path: string;
  readonly isKept: boolean;
  /** Removes the directory unless the user named it. */
  close(): Promise<void>;
}

/** The named directory, or a temporary one that is removed when the process ends, also after a failure. */
export async function openStateDirectory(named: string | undefined): Promise<StateDirectory> {
  if (named !== undefined) {
    const path = resolve(named);
    try {
      makeDirectory(path);
    } catch (error) {
      throw configError(
        `the state directory ${path} cannot be created: ${messageOf(error)}; choose another with --state`,
        error,
      );
    }
    return { path, isKept: true, close: async () => {} };
  }
  const path = await mkdtemp(join(tmpdir(), 'scopemesh-demo-'));
  const removeAtExit = () => rmSync(path, { recursive: true, force: true });
  process.once('exit', removeAtExit);
  return {
    path,
    isKept: false,
    async close() {
      await rm(path, { recursive: true, force: true });
      process.off('exit', removeAtExit);
    },
  };
}
