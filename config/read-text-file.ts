import { open } from 'node:fs/promises';
import { MAX_FILE_BYTES } from './expand.js';

/**
 * The text of a file. Reads at most one byte more than the limit of configuration files, in case the path names a device or
 * a huge file. Rejects with the system's error, or if the file is not UTF-8.
 */
export async function readTextFile(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return new TextDecoder('utf-8', { fatal: length <= MAX_FILE_BYTES }).decode(buffer.subarray(0, length));
  } finally {
    await file.close();
  }
}
