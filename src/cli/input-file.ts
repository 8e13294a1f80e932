import { statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { configError, messageOf } from '../errors.js';

/** Opens a file that an option names. `command`: the subcommand of `decisions` that writes such files. */
export async function openInput(path: string, option: string, command: string): Promise<FileHandle> {
  try {
    if (statSync(path).isDirectory()) throw new Error('it is a directory');
    return await open(path);
  } catch (error) {
    throw configError(
      `${option} ${path} cannot be read (${messageOf(error)}); give a file that scopemesh decisions ${command} wrote`,
      error,
    );
  }
}

export async function readInput(path: string, option: string, command: string): Promise<string> {
  const file = await openInput(path, option, command);
  return file.readFile('utf8').finally(() => file.close());
}
