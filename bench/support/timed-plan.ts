import { open } from 'node:fs/promises';
import { fetch } from 'undici';
import { inParallel } from './consul.js';
import { openScene, type Scene } from './scene.js';
import { median } from './statistics.js';
import { ringWorld } from './world.js';

export interface TimedPlan {
  readonly seconds: number;
  readonly peakMemoryMb: number | undefined;
}

/** One `scopemesh plan`; throws if what it prints at its end is not what was expected. */
export async function timePlan(scene: Scene, expected: string): Promise<TimedPlan> {
  const { seconds, peakMemoryMb, outFile } = await scene.command('plan');
  const end = await endOf(outFile);
  if (!end.includes(expected))
    throw new Error(`plan was to say "${expected}" and said: ${end.trim().slice(-200)}`);
  return { seconds, peakMemoryMb };
}

const START_UPS = 3;

/** The median of some plans of the smallest world: each is short, so that a busy moment would show. */
export async function timeStartUp(smallest: Scene): Promise<number> {
  const seconds: number[] = [];
  for (let run = 0; run < START_UPS; run++) seconds.push((await timePlan(smallest, 'No changes')).seconds);
  return median(seconds);
}

/** After the summary of the changes `plan` says which edges no call can use. */
const END_BYTES = 65_536;

async function endOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const at = Math.max(0, size - END_BYTES);
    const { buffer } = await file.read(Buffer.alloc(END_BYTES), 0, END_BYTES, at);
    return buffer.toString('utf8').replaceAll('\0', '');
  } finally {
    await file.close();
  }
}

/** One service and one client without a grant: what `plan` takes when there is nothing to read. */
export const openSmallest = (): Promise<Scene> => openScene(ringWorld(1, 0));

const IN_FLIGHT = 32;

/** Seconds of reading what a plan reads, without looking at it: the directory, the catalog and the intentions. */
export async function timeRawReads({ consul, idp }: Scene): Promise<number> {
  const begun = performance.now();
  await Promise.all([
    fetch(idp.directoryUrl).then((answer) => answer.arrayBuffer()),
    consul.send('GET', '/v1/config/service-intentions?consistent'),
    consul.send('GET', '/v1/catalog/services?consistent').then(async ({ text }) => {
      const names = Object.keys(JSON.parse(text));
      await inParallel(IN_FLIGHT, names.length, (at) =>
        consul.send('GET', `/v1/catalog/service/${names[at]}`),
      );
    }),
  ]);
  return (performance.now() - begun) / 1000;
}
