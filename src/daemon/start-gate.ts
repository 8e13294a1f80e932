import type { Clock } from '../clock.js';
import { firstOf } from '../linked-signal.js';
import type { AgendaHandler } from '../queue/follow-ups.js';
import type { Queue } from '../queue/queue.js';

const LOOK_MS = 20;
/** A slow identity provider, or a long queue, delays what begins later no longer. */
const MAX_MS = 1_000;

export interface StartGate {
  /**
   * Resolves when no queued job waits or runs, 1 s after `prepared` at the latest, or when the signal aborts. Never rejects.
   * A complete read of either side would take the processor from these jobs.
   */
  readonly drained: Promise<void>;
  /** As `drained`, but at most 1 s after the term began: for what works without Consul. */
  readonly soon: Promise<void>;
  /** The same handler, but complete reads of directories, which the former leader may have left, wait for `drained`. */
  readonly hold: (handler: AgendaHandler) => AgendaHandler;
}

/** Lets the events that the queue has at the beginning of a term be written first. `prepared`: jobs can run. */
export function createStartGate(
  queue: Pick<Queue, 'state'>,
  prepared: Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): StartGate {
  let held = 0;
  const untilNone = async (stop: AbortSignal) => {
    while (!stop.aborted) {
      const { waiting, active } = await queue.state();
      if (waiting + active <= held) return;
      await clock.sleep(LOOK_MS, stop);
    }
  };
  // If the store cannot be asked, nothing is held back.
  const written = prepared
    .then(() => firstOf(signal, (either) => [clock.sleep(MAX_MS, either), untilNone(either)]))
    .catch(() => {});
  const soon = firstOf(signal, (either) => [clock.sleep(MAX_MS, either), written]).catch(() => {});
  return {
    drained: written,
    soon,
    hold: (handler) => {
      const afterWritten: AgendaHandler = async (job, stop, follow) => {
        held += 1;
        await written;
        held -= 1;
        return handler(job, stop, follow);
      };
      return (job, stop, follow) =>
        (job.key.kind === 'directory' ? afterWritten : handler)(job, stop, follow);
    },
  };
}
