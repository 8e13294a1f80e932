import { type FileHandle, open, stat } from 'node:fs/promises';
import { SyncError } from '../../errors.js';
import { checkDocumentAccess } from './access-check.js';
import {
  clientIn,
  type DocumentDirectory,
  incomplete,
  membersOf,
  parsePage,
  toSnapshot,
} from './document.js';
import { requireClientId } from './reference.js';

export interface FileDirectoryOptions {
  readonly provider: string;
  readonly path: string;
  readonly maxBytes?: number;
}

/**
 * The document in a file, read whole each time. Whoever writes it should rename a finished file into place; one
 * that is caught half-written is IncompleteRead and read again.
 */
export function createFileDirectory(options: FileDirectoryOptions): DocumentDirectory {
  const { provider, path, maxBytes = 32 * 1024 * 1024 } = options;

  const readAll: DocumentDirectory['readAll'] = async (signal) => {
    const text = await readFile(path, maxBytes, signal);
    const page = parsePage(parse(text, path), provider, path);
    if (page.next !== undefined) {
      throw incomplete(`${path}: next: a file has one page; write all clients into it`);
    }
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
    // Before opening, because opening a named pipe waits for its writer.
    if (!(await stat(path)).isFile()) throw incomplete(`${path}: is not a regular file`);
    file = await open(path, 'r');
    const before = await file.stat();
    if (before.size > maxBytes) throw incomplete(`${path}: is longer than ${maxBytes} bytes`);
    const bytes = Buffer.alloc(before.size);
    let length = 0;
    while (length < bytes.length) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    const after = await file.stat();
    if (length < before.size || after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      throw incomplete(`${path}: was changed while it was read`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw toSyncError(error, path, signal);
  } finally {
    await file?.close();
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, so it is left out.
    throw incomplete(`${path}: is not valid JSON (half-written?)`);
  }
}

function toSyncError(error: unknown, path: string, signal: AbortSignal): unknown {
  if (error instanceof SyncError || signal.aborted) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return incomplete(`${path}: is not UTF-8`);
  if (code === 'EACCES' || code === 'EPERM') {
    return new SyncError('ERR_DIRECTORY_DENIED', `${path}: may not be read (${code})`, {
      retriable: false,
      cause: error,
    });
  }
  return new SyncError('ERR_DIRECTORY_UNREACHABLE', `${path}: cannot be read (${code})`, {
    retriable: true,
    cause: error,
  });
}
