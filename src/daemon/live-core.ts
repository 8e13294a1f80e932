import type { Core } from '../app/create-core.js';
import type { Clock } from '../clock.js';
import type { Queue } from '../queue/queue.js';
import { Progress } from './progress.js';
import { WatchAges } from './watch-ages.js';

/** The core of the present term; on a replica that does not lead, one that runs nothing. */
export interface LiveCore extends Core {
  /** The triggers of the store, which the jobs come from. */
  readonly queue: Queue;
  readonly ages: WatchAges;
  readonly progress: Progress;
  /** Whether its jobs run here. */
  readonly isReconciling: boolean;
  /** When the last complete comparison ended. */
  sweptAt: number | undefined;
}

/** Around this core, whose jobs come from `queue`. */
export function createLiveCore(
  core: Core,
  { queue, clock, isReconciling }: Pick<LiveCore, 'queue' | 'isReconciling'> & { readonly clock: Clock },
): LiveCore {
  return {
    ...core,
    queue,
    ages: new WatchAges(clock),
    progress: new Progress(clock),
    isReconciling,
    sweptAt: undefined,
  };
}

/** Its part that does not go on although it should; undefined if all goes well, or if nothing of it runs here. */
export function stuckPart({ isReconciling, progress, agenda, ages, sweptAt }: LiveCore): string | undefined {
  return isReconciling ? progress.stuck(agenda.waiting, ages.ages(), sweptAt) : undefined;
}
