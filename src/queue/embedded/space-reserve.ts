import { randomFillSync } from 'node:crypto';
import { constants, statfsSync, statSync, truncateSync } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../errors.js';
import type { Runtime } from '../../runtime.js';
import { MARGIN_PART, RESERVED_BYTES, RESERVED_PART, type StoreSpace } from '../store-space.js';

type Deps = Pick<Runtime, 'logger' | 'metrics'>;

/** The reserve is given away in this many steps, so that another program that fills the disk cannot take all of it. */
const STEPS = 16;
/** Events may use the reserve down to this part. The rest is for the journal, without which nothing is revoked. */
const JOURNAL_PART = 1 / 2;
const CHUNK_BYTES = 1024 * 1024;
/** What must fit on a disk without a reserve before it counts as one with space. */
const TRIAL_BYTES = 64 * 1024;

/** A file beside the state files that only takes up space: real blocks, because it holds no zeros. */
export class SpaceReserve implements StoreSpace {
  readonly #path: string;
  readonly #directory: string;
  readonly #deps: Deps;
  /** How large the file is to be. */
  readonly #bytes: number;
  #size: number;
  #isLow: boolean;
  #isEmptyLogged = false;
  #failure: string | undefined;
  /** Counts what was given away, to notice it while the file grows. */
  #given = 0;

  /** `bytes`: how large the file is to be; 0 on a disk that is too small for one. */
  constructor(directory: string, deps: Deps, bytes = bytesFor(directory)) {
    this.#directory = directory;
    this.#path = join(directory, 'space.reserve');
    this.#deps = deps;
    this.#bytes = bytes;
    const size = sizeOf(this.#path);
    this.#size = size ?? 0;
    // If the file is too small, an earlier process used it. The first start finds no file.
    this.#isLow = size !== undefined && size < this.#bytes;
    this.#measure();
  }

  isLow(): boolean {
    return this.#isLow;
  }

  /** Gives a part of the reserve back to the disk, for one of the state files. False if it may not have more. */
  give(to: 'events' | 'journal'): boolean {
    const least = to === 'events' ? this.#bytes * JOURNAL_PART : 0;
    if (!this.#isLow)
      this.#deps.logger.error(
        { directory: this.#directory, reservedBytes: this.#size },
        'the disk of the state directory is full: only revocations are made, in the reserved space; free some space',
      );
    this.#isLow = true;
    const given = this.#size > least && this.#shrink(Math.max(least, this.#size - this.#bytes / STEPS));
    if (!given && !this.#isEmptyLogged) {
      this.#isEmptyLogged = true;
      this.#deps.logger.error(
        { directory: this.#directory, reservedBytes: this.#size },
        'the reserved space is used up: events are refused until there is space',
      );
    }
    this.#measure();
    return given;
  }

  async restore(): Promise<void> {
    if (this.#size >= this.#bytes && !this.#isLow) return;
    const wasLow = this.#isLow;
    try {
      await this.#grow();
      this.#failure = undefined;
    } catch (error) {
      const failure = messageOf(error);
      if (failure !== this.#failure)
        this.#deps.logger.warn({ error: failure }, 'no space can be reserved in the state directory');
      this.#failure = failure;
    }
    this.#measure();
    if (wasLow && !this.#isLow)
      this.#deps.logger.info({ directory: this.#directory }, 'the disk has space again: grants go on');
  }

  #shrink(size: number): boolean {
    try {
      truncateSync(this.#path, size);
    } catch {
      this.#size = 0;
      return false;
    }
    this.#size = size;
    this.#given++;
    return true;
  }

  /** Makes the file as large as it is to be if the disk has room for it, or leaves it as it is. */
  async #grow(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#directory);
    if (bavail * bsize < this.#bytes - this.#size + this.#bytes * MARGIN_PART) {
      if (!this.#isLow)
        this.#deps.logger.error(
          { directory: this.#directory, neededBytes: this.#bytes },
          'the disk of the state directory has too little space for a reserve: only revocations are made; free some space',
        );
      this.#isLow = true;
      return;
    }
    const given = this.#given;
    // Zeros would take no space on a file system that compresses.
    const chunk = randomFillSync(Buffer.alloc(CHUNK_BYTES));
    const file = await open(this.#path, constants.O_CREAT | constants.O_WRONLY, 0o600);
    try {
      // Without a reserve nothing else shows that the disk has space again.
      if (this.#bytes === 0 && !(await hasRoom(file, chunk))) return;
      while (this.#size < this.#bytes) {
        const length = Math.min(CHUNK_BYTES, this.#bytes - this.#size);
        const { bytesWritten } = await file.write(chunk, 0, length, this.#size);
        if (this.#given !== given) break;
        this.#size += bytesWritten;
      }
      if (this.#given === given) await file.datasync();
    } finally {
      await file.close();
      // What was written after a part was given away, or before the disk was full.
      if (this.#size < this.#bytes) truncateSync(this.#path, this.#size);
    }
    if (this.#given !== given) return;
    this.#isLow = false;
    this.#isEmptyLogged = false;
  }

  #measure(): void {
    this.#deps.metrics.gauge('scopemesh_store_reserve_bytes', this.#size);
    this.#deps.metrics.gauge('scopemesh_store_low', this.#isLow ? 1 : 0);
  }
}

function bytesFor(directory: string): number {
  const { blocks, bsize } = statfsSync(directory);
  const most = Math.min(RESERVED_BYTES, blocks * bsize * RESERVED_PART);
  return Math.floor(most / CHUNK_BYTES) * CHUNK_BYTES;
}

/** Whether something could be written: it is deleted again. */
async function hasRoom(file: FileHandle, chunk: Buffer): Promise<boolean> {
  try {
    const { bytesWritten } = await file.write(chunk, 0, TRIAL_BYTES, 0);
    await file.datasync();
    return bytesWritten === TRIAL_BYTES;
  } finally {
    await file.truncate(0);
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
