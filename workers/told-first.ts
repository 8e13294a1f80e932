import type { Clock } from '../src/clock.js';
import { queueState } from '../src/daemon/status.js';
import { firstOf } from '../src/linked-signal.js';
import type { Agenda } from '../src/queue/agenda.js';
import type { Queue } from '../src/queue/queue.js';

const LOOK_MS = 20;
/** A slow identity provider, or a long queue, delays the complete reads no longer. */
const LONGEST_MS = 1_000;

/**
 * Resolves when no job waits or runs that events of before the term asked for, after 1 s at the latest, or when the signal
 * aborts. Never rejects. A complete read of either side would take the processor from these jobs.
 */
export async function toldFirst(
  queue: Pick<Queue, 'state'>,
  agenda: Agenda,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const untilNone = async (stop: AbortSignal) => {
    while (!stop.aborted) {
      const { waiting, active } = await queueState(queue, agenda);
      if (waiting + active === 0) return;
      await clock.sleep(LOOK_MS, stop);
    }
  };
  // If the store cannot be asked, nothing is held back.
  await firstOf(signal, (either) => [clock.sleep(LONGEST_MS, either), untilNone(either)]).catch(() => {});
}
