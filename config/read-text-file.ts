import { constants, openSync, readSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { failureOf, MAX_FILE_BYTES } from './expand.js';

/**
 * The text of a file. Reads at most one byte more than the limit of configuration files, in case the path names a device or
 * a huge file. Rejects with the system's error, or if the file is not UTF-8.
 */
export async function readTextFile(path: string): Promise<string> {
  const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
  const length = (await stat(path)).isFIFO() ? await readPipe(path, buffer) : await readFile(path, buffer);
  return new TextDecoder('utf-8', { fatal: length <= MAX_FILE_BYTES }).decode(buffer.subarray(0, length));
}

async function readFile(path: string, buffer: Buffer): Promise<number> {
  const file = await open(path, 'r');
  try {
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length;
  } finally {
    await file.close();
  }
}

/** As a shell passes `<(command)`. Without a writer it counts as empty: to wait for one could wait forever. */
async function readPipe(path: string, buffer: Buffer): Promise<number> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const first = readNow(fd, buffer);
  let length = Math.max(first, 0);
  // It closes the file.
  const pipe = new Socket({ fd, writable: false });
  if (first === 0) pipe.destroy();
  else
    for await (const part of pipe) {
      length += Buffer.from(part).copy(buffer, length);
      if (length === buffer.length) break;
    }
  return length;
}

/** -1 if there is a writer that has not written yet. */
function readNow(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if (failureOf(error) === 'EAGAIN') return -1;
    throw error;
  }
}
