import { LIMIT, OURS, type Row } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { openSmallest, timePlan, timeRawReads, timeStartUp } from '../support/timed-plan.js';
import { ringWorld } from '../support/world.js';

const SIZES = [1_000, 10_000] as const;

const idOf = (size: number) => `seconds${size}`;

/** `plan` where Consul already says what the identity provider says. */
export const noOp: Row = {
  name: 'no-op',
  title: 'a comparison that finds nothing to do, at 1,000 and 10,000 destinations',
  limit: 'raw reads',
  needs: ['consul'],
  figures: SIZES.map((size) => ({
    id: idOf(size),
    label: `${size.toLocaleString('en-US')} destinations, above start-up`,
    unit: 's',
    ...(size === 10_000 ? { targets: [{ against: LIMIT, atMost: 1.5 }] } : {}),
  })),
  async open(bench) {
    const smallest = await openSmallest();
    const scenes = new Map<number, Scene>();
    const close = async () => {
      for (const scene of [...scenes.values(), smallest]) await scene.close();
    };
    try {
      for (const size of SIZES) {
        const scene = await openScene(ringWorld(bench.scaled(size), bench.sources));
        scenes.set(size, scene);
        bench.progress(`no-op: applies ${bench.scaled(size)} destinations`);
        await scene.command('apply', '--yes');
      }
    } catch (error) {
      await close();
      throw error;
    }
    const each = async (measure: (scene: Scene) => Promise<number>) => {
      const sample: Record<string, number> = {};
      for (const [size, scene] of scenes) sample[idOf(size)] = await measure(scene);
      return sample;
    };
    return {
      contestants: new Map([
        [
          OURS,
          async () => {
            const startUp = await timeStartUp(smallest);
            return each(async (scene) => (await timePlan(scene, 'No changes')).seconds - startUp);
          },
        ],
        [LIMIT, () => each(timeRawReads)],
      ]),
      close,
    };
  },
};
