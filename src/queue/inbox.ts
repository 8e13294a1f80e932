import { inParts } from '../in-parts.js';
import { clientKey, formatKey } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { Recheck } from './rechecks.js';

/** What follows from one event. */
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
 * Accepts events. In one atomic step it queues the triggers of an event as `Queue.add` does, lists its rechecks as
 * `Rechecks.put` does, and remembers its ID as `KeyValueStore.remember` does. Throws SyncError ERR_QUEUE_UNREACHABLE.
 */
export interface Inbox {
  /**
   * Skips events whose IDs are remembered. Resolves with the IDs of the others once they are durable. Triggers keep the
   * order of the events. If it rejects, each event is accepted as a whole or not at all, so repeating is harmless.
   */
  accept(
    provider: string,
    events: readonly IncomingEvent[],
    memory: EventMemory,
  ): Promise<ReadonlySet<string>>;
  /** Rejects if no event could be accepted now. */
  check(): Promise<void>;
  /**
   * The triggers of the provider's clients that no job has settled, oldest first of each client: those that wait, run,
   * are delayed or parked, also where a process that died had begun them.
   */
  unsettled(provider: string): Promise<readonly Trigger[]>;
}

/** How the keys of all clients of the provider begin. */
export function clientKeyPrefix(provider: string): string {
  return formatKey(clientKey(provider, ''));
}

/** Some milliseconds of the store's thread. */
const MAX_IN_ONE_STEP = 500;

/** What an event costs. */
export function sizeOf({ triggers, rechecks }: IncomingEvent): number {
  return 1 + triggers.length + rechecks.length;
}

/** Splits the list, in order, into parts that are small enough for one step. */
export function toSteps(events: readonly IncomingEvent[]): readonly (readonly IncomingEvent[])[] {
  return inParts(events, MAX_IN_ONE_STEP, sizeOf);
}
