import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface StateDirectory {
  /** Absolute. */
  readonly path: string;
  readonly isKept: boolean;
  /** Takes it away again, unless somebody named it. */
  close(): Promise<void>;
}

/** The one that was named, or a new one that goes away with the process, however that ends. */
export async function openStateDirectory(named: string | undefined): Promise<StateDirectory> {
  if (named !== undefined) {
    const path = resolve(named);
    await mkdir(path, { recursive: true, mode: 0o700 });
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
