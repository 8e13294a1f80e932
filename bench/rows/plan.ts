import { LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { openSmallest, timePlan, timeRawReads, timeStartUp } from '../support/timed-plan.js';
import { ringWorld } from '../support/world.js';

const SIZES = [1_000, 10_000, 100_000] as const;
const GRANTS = 5;
const GROWTH = 'growth';

const secondsId = (size: number) => `seconds${size}`;
const memoryId = (size: number) => `memory${size}`;
const label = (size: number) => size.toLocaleString('en-US');

/** `plan` of everything, against a Consul that has no intention yet. */
export const plan: Row = {
  name: 'plan',
  title: 'plan at 1,000, 10,000 and 100,000 clients and services with 5 grants each',
  limit: 'raw reads',
  needs: ['consul'],
  figures: [
    ...SIZES.flatMap((size) => [
      {
        id: secondsId(size),
        label: `${label(size)} clients, above start-up`,
        unit: 's',
        ...(size === 10_000 ? { targets: [{ atMost: 4 }] } : {}),
      },
      {
        id: memoryId(size),
        label: `${label(size)} clients, peak memory`,
        unit: 'MB',
        ...(size === 10_000 ? { targets: [{ atMost: 500 }] } : {}),
      },
    ]),
    { id: GROWTH, label: '100,000 clients, times the 10,000', unit: '', targets: [{ atMost: 13 }] },
    { id: 'startUp', label: 'start-up: one client without a grant', unit: 's' },
  ],
  async open(bench) {
    const scenes = new Map<number, Scene>();
    const close = async () => {
      for (const scene of [...scenes.values(), smallest]) await scene.close();
    };
    const smallest = await openSmallest();
    try {
      for (const size of SIZES) {
        bench.progress(`plan: registers ${bench.scaled(size)} services`);
        scenes.set(size, await openScene(ringWorld(bench.scaled(size), GRANTS)));
      }
    } catch (error) {
      await close();
      throw error;
    }
    return {
      contestants: new Map([
        [
          OURS,
          async () => {
            const startUp = await timeStartUp(smallest);
            const sample: Record<string, number> = { startUp };
            for (const [size, scene] of scenes) {
              bench.progress(`plan: ${bench.scaled(size)} clients`);
              const edges = bench.scaled(size) * GRANTS;
              const { seconds, peakMemoryMb } = await timePlan(scene, `${edges} to open`);
              sample[secondsId(size)] = seconds - startUp;
              if (peakMemoryMb !== undefined) sample[memoryId(size)] = peakMemoryMb;
            }
            const [ten = Number.NaN, hundred = Number.NaN] = [10_000, 100_000].map(
              (size) => sample[secondsId(size)],
            );
            // At a small scale the difference to the start-up is noise.
            return ten > 0 && hundred > 0 ? { ...sample, [GROWTH]: hundred / ten } : sample;
          },
        ],
        [
          LIMIT,
          async () => {
            const sample: Record<string, number> = {};
            for (const [size, scene] of scenes) sample[secondsId(size)] = await timeRawReads(scene);
            return sample satisfies Sample;
          },
        ],
      ]),
      close,
    };
  },
};
