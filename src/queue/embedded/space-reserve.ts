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

export interface SpaceReserve extends StoreSpace {
  /** Gives a part of the reserve back to the disk, for one of the state files. False if it may not have more. */
  give(to: 'events' | 'journal'): boolean;
}

/**
 * A file beside the state files that only takes up space: real blocks, because it holds no zeros. `bytes`: how large it is to
 * be; 0 on a disk that is too small for one.
 */
export function createSpaceReserve(
  directory: string,
  { logger, metrics }: Deps,
  bytes = bytesFor(directory),
): SpaceReserve {
  const path = join(directory, 'space.reserve');
  const found = statSync(path, { throwIfNoEntry: false })?.size;
  let size = found ?? 0;
  // If the file is too small, an earlier process used it. The first start finds no file.
  let isLow = found !== undefined && found < bytes;
  let isEmptyLogged = false;
  let failure: string | undefined;
  /** Counts what was given away, to notice it while the file grows. */
  let given = 0;

  const measure = () => {
    metrics.gauge('scopemesh_store_reserve_bytes', size);
    metrics.gauge('scopemesh_store_low', isLow ? 1 : 0);
  };
  const shrink = (to: number): boolean => {
    try {
      truncateSync(path, to);
    } catch {
      size = 0;
      return false;
    }
    size = to;
    given++;
    return true;
  };
  /** Makes the file as large as it is to be if the disk has room for it, or leaves it as it is. */
  const grow = async (): Promise<void> => {
    const { bavail, bsize } = await statfs(directory);
    if (bavail * bsize < bytes - size + bytes * MARGIN_PART) {
      if (!isLow)
        logger.error(
          { directory, neededBytes: bytes },
          'the disk of the state directory has too little space for a reserve: only revocations are made; free some space',
        );
      isLow = true;
      return;
    }
    const before = given;
    // Zeros would take no space on a file system that compresses.
    const chunk = randomFillSync(Buffer.alloc(CHUNK_BYTES));
    const file = await open(path, constants.O_CREAT | constants.O_WRONLY, 0o600);
    try {
      // Without a reserve nothing else shows that the disk has space again.
      if (bytes === 0 && !(await hasRoom(file, chunk))) return;
      while (size < bytes) {
        const { bytesWritten } = await file.write(chunk, 0, Math.min(CHUNK_BYTES, bytes - size), size);
        if (given !== before) break;
        size += bytesWritten;
      }
      if (given === before) await file.datasync();
    } finally {
      await file.close();
      // What was written after a part was given away, or before the disk was full.
      if (size < bytes) truncateSync(path, size);
    }
    if (given !== before) return;
    isLow = false;
    isEmptyLogged = false;
  };

  measure();
  return {
    isLow: () => isLow,

    give(to) {
      const least = to === 'events' ? bytes * JOURNAL_PART : 0;
      if (!isLow)
        logger.error(
          { directory, reservedBytes: size },
          'the disk of the state directory is full: only revocations are made, in the reserved space; free some space',
        );
      isLow = true;
      const isGiven = size > least && shrink(Math.max(least, size - bytes / STEPS));
      if (!isGiven && !isEmptyLogged) {
        isEmptyLogged = true;
        logger.error(
          { directory, reservedBytes: size },
          'the reserved space is used up: events are refused until there is space',
        );
      }
      measure();
      return isGiven;
    },

    async restore() {
      if (size >= bytes && !isLow) return;
      const wasLow = isLow;
      try {
        await grow();
        failure = undefined;
      } catch (error) {
        const message = messageOf(error);
        if (message !== failure)
          logger.warn({ error: message }, 'no space can be reserved in the state directory');
        failure = message;
      }
      measure();
      if (wasLow && !isLow) logger.info({ directory }, 'the disk has space again: grants go on');
    },
  };
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
