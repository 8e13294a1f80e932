import type { Trigger } from '../model/trigger.js';
import type { Recheck } from './rechecks.js';

/** What is taken in of one event. */
export interface IncomingEvent {
  readonly id: string;
  readonly triggers: readonly Trigger[];
  readonly rechecks: readonly Recheck[];
}

export interface EventMemory {
  readonly scope: string;
  readonly ttlMs: number;
}

/**
 * Takes events in. Of each event, its triggers are queued as by `Queue.add`, its rechecks are listed as by
 * `Rechecks.put`, and its id is remembered as by `Facts.remember`, in one atomic step. Throws SyncError
 * ERR_QUEUE_UNREACHABLE.
 */
export interface Inbox {
  /**
   * Passes over events whose ids are remembered. Resolves once the others are durable, with their ids; triggers keep
   * the order of the events. Where it rejects, each event is accepted as a whole or not at all, so that repeating is
   * harmless.
   */
  accept(
    provider: string,
    events: readonly IncomingEvent[],
    memory: EventMemory,
  ): Promise<ReadonlySet<string>>;
}

/** Some milliseconds of the store's thread. */
const MOST_IN_ONE_STEP = 500;

/** Parts of the list, in order, each of which is little enough for one step. */
export function toSteps(events: readonly IncomingEvent[]): readonly (readonly IncomingEvent[])[] {
  const steps: IncomingEvent[][] = [];
  let size = MOST_IN_ONE_STEP;
  for (const event of events) {
    const added = 1 + event.triggers.length + event.rechecks.length;
    size += added;
    if (size > MOST_IN_ONE_STEP) {
      steps.push([]);
      size = added;
    }
    steps.at(-1)?.push(event);
  }
  return steps;
}
