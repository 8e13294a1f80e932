import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf, SyncError } from '../../errors.js';
import { mapBounded } from '../../limiter.js';
import { KeyedMutex } from '../../state/mutex.js';
import type { WriteResult } from '../consul.js';
import { type BrokenFile, toBroken } from './broken-file.js';
import { brokenManifest } from './manifest.js';

/** A file that carries the header of this owner. */
export interface OwnFile {
  readonly name: string;
  readonly text: string;
  /** Derived from the content: the same text has the same index. Never 0. */
  readonly index: number;
}

interface ManifestDirectoryOptions {
  /** Absolute. It must exist: a volume that is not mounted must not look like a directory without files. */
  readonly directory: string;
  readonly owner: string;
  /** Asked directly before each change. False: nothing is changed, and ERR_TIMEOUT. */
  readonly mayWrite?: (() => boolean) | undefined;
}

/** A file may not grow beyond it: Kubernetes stores about 1.5 MiB of a resource. */
const MAX_BYTES = 1024 * 1024;
/** Another program may have written more. */
const MAX_READ_BYTES = 16 * MAX_BYTES;
const OPEN_FILES = 32;

const NO_FILE = 'it is a link, a directory or a device; put a file in its place, or remove it';
const DENIED = 'no permission; give the user of scopemesh read and write access to the file';
/** Errors of one file, which say nothing about the others. */
const UNREADABLE = new Map<string, string>([
  ['ELOOP', NO_FILE],
  ['ENXIO', NO_FILE],
  ['EISDIR', NO_FILE],
  ['EACCES', DENIED],
  ['EPERM', DENIED],
  ['EIO', 'the disk does not give it back; restore the file'],
]);

/**
 * The files of one owner in a directory that others may use too. A file without the header of this owner is never changed
 * or deleted. Every method throws SyncError: ERR_CONSUL_DENIED without permission, ERR_CONSUL_INCOMPLETE for a file
 * that cannot be read whole, ERR_CONSUL_REJECTED where a foreign file has the name, else ERR_CONSUL_UNREACHABLE.
 */
export class ManifestDirectory {
  /** The first line of every own file. */
  readonly header: string;
  readonly #options: ManifestDirectoryOptions;
  readonly #mutex = new KeyedMutex();

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
    this.header = `# Written by scopemesh for the owner ${options.owner}, which replaces and deletes this file.`;
  }

  /** The own files whose names begin with `prefix`, sorted by name. One broken file does not hide the others. */
  async list(prefix: string, signal: AbortSignal): Promise<readonly (OwnFile | BrokenFile)[]> {
    const files = await mapBounded(await this.#names(prefix), { width: OPEN_FILES, signal }, (name) =>
      this.read(name).catch((error: unknown) => toBroken(name, error)),
    );
    return files.filter((file) => file !== undefined && file !== 'foreign');
  }

  /** Changes whenever one of these files changes, own or foreign. */
  async fingerprint(prefix: string, signal: AbortSignal): Promise<string> {
    const { directory } = this.#options;
    const states = await mapBounded(await this.#names(prefix), { width: OPEN_FILES, signal }, (name) =>
      this.#try(name, async () => {
        const state = await lstat(join(directory, name)).catch((error: unknown) => {
          if (codeOf(error) === 'ENOENT') return undefined;
          throw error;
        });
        return [name, state?.ino, state?.size, state?.mtimeMs, state?.ctimeMs];
      }),
    );
    return createHash('sha256').update(JSON.stringify(states)).digest('base64');
  }

  async #names(prefix: string): Promise<readonly string[]> {
    const all = await this.#try('', () => readdir(this.#options.directory));
    return all.filter((name) => name.startsWith(prefix) && name.endsWith('.yaml')).toSorted();
  }

  /** A file that has the mark of this owner, but not the header, is an incomplete read: it may have been an own one. */
  async read(name: string): Promise<OwnFile | 'foreign' | undefined> {
    const text = await this.#try(name, () => this.#readText(name));
    if (text === undefined || text === 'foreign') return text;
    if (this.#hasHeader(text)) return { name, text, index: indexOf(text) };
    if (!this.#hasMark(text)) return 'foreign';
    const why = `it has the mark of this owner, but does not begin with the line "${this.header}"`;
    throw brokenManifest(name, `${why}; restore the line, or move the file out of the directory`);
  }

  foreignError(name: string): SyncError {
    const message = `${join(this.#options.directory, name)} exists and does not carry the header of this owner, so scopemesh leaves it; move or delete it`;
    return new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
  }

  #hasMark(text: string): boolean {
    const [, ...ends] = text.split(`scopemesh:${this.#options.owner}`);
    return ends.some((end) => !/^[\w.-]/.test(end));
  }

  #hasHeader(text: string): boolean {
    return (
      text.startsWith(this.header) && /^\r?\n/.test(text.slice(this.header.length, this.header.length + 2))
    );
  }

  /** Compare-and-set, as `Intentions.write`: equal content is `written` at any index. `text` undefined deletes. */
  replace(name: string, text: string | undefined, expectedIndex: number): Promise<WriteResult> {
    return this.#mutex.run(name, async () => {
      const current = await this.read(name);
      if (current === 'foreign') throw this.foreignError(name);
      if (current?.text === text) return { kind: 'written', ...(current && { modifyIndex: current.index }) };
      if ((current?.index ?? 0) !== expectedIndex) return { kind: 'conflict' };
      if (text !== undefined) requireRoom(name, text, current?.text ?? '');
      await this.#try(name, () => (text === undefined ? this.#remove(name) : this.#write(name, text)));
      return { kind: 'written', ...(text !== undefined && { modifyIndex: indexOf(text) }) };
    });
  }

  /** Undefined if there is no such file. What is there and cannot be read may have been an own file: it is an incomplete read. */
  async #readText(name: string): Promise<string | 'foreign' | undefined> {
    // A link could lead out of the directory, and a pipe would keep the reader waiting.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(join(this.#options.directory, name), flags).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw asBroken(name, error);
    });
    if (file === undefined) await this.#mustExist();
    if (file === undefined) return undefined;
    try {
      const state = await file.stat();
      if (!state.isFile()) throw brokenManifest(name, NO_FILE);
      if (state.size > MAX_READ_BYTES) {
        const start = Buffer.alloc(Buffer.byteLength(this.header) + 2);
        await file.read(start, 0, start.length, 0);
        if (!this.#hasHeader(start.toString())) return 'foreign';
        throw brokenManifest(name, `it has more than ${MAX_READ_BYTES} bytes; move or delete the file`);
      }
      return await file.readFile('utf8').catch((error: unknown) => {
        throw asBroken(name, error);
      });
    } finally {
      await file.close();
    }
  }

  async #mustExist(): Promise<void> {
    await (await open(this.#options.directory, constants.O_RDONLY | constants.O_DIRECTORY)).close();
  }

  async #write(name: string, text: string): Promise<void> {
    const path = join(this.#options.directory, name);
    const fresh = join(this.#options.directory, `.${name}.new`);
    await rm(fresh, { force: true });
    try {
      const file = await open(fresh, 'wx', 0o644);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      this.#requireLease(name);
      await rename(fresh, path);
    } catch (error) {
      // A job that commits the directory must not find it.
      await rm(fresh, { force: true });
      throw error;
    }
  }

  async #remove(name: string): Promise<void> {
    this.#requireLease(name);
    await rm(join(this.#options.directory, name));
  }

  #requireLease(name: string): void {
    if (this.#options.mayWrite?.() !== false) return;
    const message = `${name}: not changed, because the lease was not proven at that moment`;
    throw new SyncError('ERR_TIMEOUT', message, { retriable: true });
  }

  /** Gives each error of the system its code and its remedy. */
  async #try<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SyncError) throw error;
      const { directory } = this.#options;
      const place = `the directory ${directory} of consul.target`;
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR')
        throw failed(`${place} does not exist; create it, or correct consul.target.directory`, error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
        const message = `${join(directory, name)}: no permission (${code}); give the user of scopemesh read and write access to ${place}`;
        throw new SyncError('ERR_CONSUL_DENIED', message, { retriable: false, cause: error });
      }
      throw failed(`${join(directory, name)}: ${messageOf(error)}`, error);
    }
  }
}

/** A file that shrinks passes at any size: it may be a revocation. */
function requireRoom(name: string, text: string, before: string): void {
  const size = Buffer.byteLength(text);
  if (size <= MAX_BYTES || size <= Buffer.byteLength(before)) return;
  const message = `${name} would have more than ${MAX_BYTES} bytes, which Kubernetes may not store; give fewer clients access to this destination, or split the service`;
  throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
}

function failed(message: string, cause: unknown): SyncError {
  return new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true, cause });
}

/** 52 bits of a hash: a number that JSON and JavaScript hold exactly. */
function indexOf(text: string): number {
  const digest = createHash('sha256').update(text).digest('hex');
  return Number.parseInt(digest.slice(0, 13), 16) || 1;
}

/** The same error, unless it says something of this file alone. */
function asBroken(name: string, error: unknown): unknown {
  const why = UNREADABLE.get(codeOf(error));
  return why === undefined ? error : brokenManifest(name, why);
}
