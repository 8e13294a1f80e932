import { lstat, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { configError, messageOf } from '../errors.js';
import { makeDirectory } from '../make-directory.js';

/**
 * Writes files by name into the directory that `--out` names. They say who may do what, so only their owner may read them.
 * Without `overwrite` it refuses a file that exists. Follows no link in the directory, and none to it that somebody else
 * made. Throws ERR_CONFIG.
 */
export async function writePrivateFiles(
  directory: string,
  files: ReadonlyMap<string, string>,
  { overwrite }: { readonly overwrite: boolean },
): Promise<void> {
  try {
    makeDirectory(directory);
    // A slash at the end would follow it.
    const found = await lstat(resolve(directory));
    const isOurs = found.uid === 0 || found.uid === process.getuid?.();
    if (found.isSymbolicLink() && !isOurs) throw new Error('it is a link of another user');
    for (const [name, text] of files) {
      const path = join(directory, name);
      // What was there is removed, and not written to: it may be a link.
      if (overwrite) await rm(path, { force: true });
      await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    }
  } catch (error) {
    throw configError(`--out ${directory} cannot be written (${messageOf(error)})`, error);
  }
}
