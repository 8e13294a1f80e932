import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { configError, messageOf } from '../errors.js';
import { makeDirectory } from '../make-directory.js';

/**
 * Writes files by name into the directory that `--out` names. They say who may do what, so only their owner may read them.
 * Without `overwrite` it refuses a file that exists, and a link. Throws ERR_CONFIG.
 */
export async function writePrivateFiles(
  directory: string,
  files: ReadonlyMap<string, string>,
  { overwrite }: { readonly overwrite: boolean },
): Promise<void> {
  try {
    makeDirectory(directory);
    for (const [name, text] of files) await writePrivate(join(directory, name), text, overwrite ? 'w' : 'wx');
  } catch (error) {
    throw configError(`--out ${directory} cannot be written (${messageOf(error)})`, error);
  }
}

async function writePrivate(path: string, text: string, flag: 'w' | 'wx'): Promise<void> {
  const file = await open(path, flag, 0o600);
  try {
    // A file that was there keeps its mode otherwise.
    await file.chmod(0o600);
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}
