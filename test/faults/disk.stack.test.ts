import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { describeFaults } from './describe-faults.js';
import { startWorld, type World } from './world.js';

interface DiskWorld extends World {
  readonly disk: string;
}

const run = promisify(execFile);

const mount = (folder: string) => run('mount', ['-t', 'tmpfs', '-o', 'size=192m', 'tmpfs', folder]);

/** Only root may mount, and not in every container. */
async function mayMount(): Promise<boolean> {
  const folder = await createRunDirectory('disk');
  try {
    await mount(folder);
    await run('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    await removeRunDirectory(folder);
  }
}

/** The state of the daemon is on a disk of its own. */
async function startDiskWorld(): Promise<DiskWorld> {
  const disk = await createRunDirectory('disk');
  await mount(disk);
  const leave = async () => {
    // Lazily: a process that has just ended may still hold a file.
    await run('umount', ['-l', disk]);
    await removeRunDirectory(disk);
  };
  try {
    const world = await startWorld({ state: join(disk, 'state') });
    return {
      ...world,
      disk,
      async stop() {
        await world.stop();
        await leave();
      },
    };
  } catch (error) {
    await leave();
    throw error;
  }
}

async function fill(file: string): Promise<void> {
  for (let size = 8 * 1024 * 1024; size > 1000; size /= 2)
    for (let isFull = false; !isFull; )
      isFull = await writeFile(file, Buffer.alloc(size, 1), { flag: 'a' }).then(
        () => false,
        () => true,
      );
}

describeFaults(
  'scopemesh itself',
  startDiskWorld,
  [
    {
      name: 'has a full disk',
      begin: ({ disk }) => fill(join(disk, 'filler')),
      seconds: 5,
      end: ({ disk }) => rm(join(disk, 'filler')),
    },
  ],
  await mayMount(),
);
