import { type FileHandle, open, stat } from 'node:fs/promises';
import { SyncError } from '../../errors.js';
import { jsonIn } from '../../model/json-in.js';
import { incomplete } from '../read-errors.js';
import { checkDocumentAccess } from './access-check.js';
import {
  clientIn,
  type DocumentDirectory,
  membersOf,
  parsePage,
  requireClientId,
  toSnapshot,
} from './document.js';

interface FileDirectoryOptions {
  readonly provider: string;
  readonly path: string;
  readonly maxBytes?: number;
}

/**
 * The document in a file. Each read reads the whole file. Write a new file and rename it into place: a file that is
 * half-written is an IncompleteRead and is read again.
 */
export function createFileDirectory(options: FileDirectoryOptions): DocumentDirectory {
  const { provider, path, maxBytes = 32 * 1024 * 1024 } = options;

  const readAll: DocumentDirectory['readAll'] = async (signal) => {
    const text = await readFile(path, maxBytes, signal);
    const json = jsonIn(text);
    if (json === undefined) throw incomplete(path, 'is not valid JSON; it may be half-written');
    const page = parsePage(json, provider, path);
    if (page.next !== undefined)
      throw incomplete(path, 'next: a file has only one page; write all clients into it and remove "next"');
    return toSnapshot([page], path, 1);
  };

  return {
    provider,
    readAll,
    async read(by, value, signal) {
      requireClientId(by, provider);
      return clientIn(await readAll(signal), value, path);
    },
    readMembers: async (groups, signal) => membersOf(await readAll(signal), groups, path),
    checkAccess: (signal) => checkDocumentAccess(readAll, `reading the file ${path}`, signal),
    close: async () => {},
  };
}

async function readFile(path: string, maxBytes: number, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  let file: FileHandle | undefined;
  try {
    // Checked first, because opening a named pipe waits for its writer.
    if (!(await stat(path)).isFile()) throw incomplete(path, 'is not a regular file');
    file = await open(path, 'r');
    const before = await file.stat();
    if (before.size > maxBytes) throw incomplete(path, `is longer than ${maxBytes} bytes`);
    const bytes = Buffer.alloc(before.size);
    let length = 0;
    while (length < bytes.length) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    const after = await file.stat();
    if (length < before.size || after.size !== before.size || after.mtimeMs !== before.mtimeMs)
      throw incomplete(path, 'changed during the read');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw toSyncError(error, path, signal);
  } finally {
    await file?.close();
  }
}

function toSyncError(error: unknown, path: string, signal: AbortSignal): unknown {
  if (error instanceof SyncError || signal.aborted) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return incomplete(path, 'is not UTF-8');
  const message = `${path}: cannot be read (${code})`;
  return code === 'EACCES' || code === 'EPERM'
    ? new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false, cause: error })
    : new SyncError('ERR_DIRECTORY_UNREACHABLE', message, { retriable: true, cause: error });
}
