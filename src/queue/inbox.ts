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
 * Accepts events. In one atomic step it stores the triggers of an event as `Queue.add` does, lists its rechecks as
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

/** A trigger that no job has settled. */
export interface Unsettled {
  /** Never given to another trigger. */
  readonly id: string;
  /** Where it stands in the order of arrival. */
  readonly seq: number;
  readonly trigger: Trigger;
}

/** How often a key failed in a row. The store keeps it beside the triggers of the key, so that a takeover goes on with it. */
export interface KeyFailure {
  readonly attempts: number;
  /** The last failure's message. */
  readonly error: string;
  /** ISO 8601, of a key that is parked. */
  readonly parkedSince?: string;
  /** The place of the newest trigger that the last run knew. A key that has a newer one is not parked. */
  readonly upTo: number;
}

/** What a run makes of its key. */
export interface KeyUpdate {
  readonly key: string;
  /** The IDs of the triggers that are done. */
  readonly settled: readonly string[];
  /** What is known of its failures from now on, if that changes. `none` forgets them. */
  readonly failure?: KeyFailure | 'none';
}

/**
 * The triggers that are durable. It knows neither order nor backoff: the agenda of the leader has them in memory. Throws
 * SyncError ERR_QUEUE_UNREACHABLE.
 */
export interface TriggerStore {
  /** Resolves once they are durable, in this order. Repeating is harmless. */
  append(triggers: readonly Trigger[]): Promise<void>;
  /**
   * The next unsettled triggers after this place, in order of arrival. `last`: the place of the newest trigger that ever
   * came; below `after` only in a store that forgot some.
   */
  after(seq: number, most: number): Promise<{ readonly found: readonly Unsettled[]; readonly last: number }>;
  /** All unsettled triggers of each of these keys, in order of arrival. A key that has none is not in it. */
  of(keys: readonly string[]): Promise<ReadonlyMap<string, readonly Unsettled[]>>;
  /** The keys that have unsettled triggers. */
  keys(): Promise<readonly string[]>;
  /** By key. */
  failures(): Promise<ReadonlyMap<string, KeyFailure>>;
  /** In one step. */
  update(update: KeyUpdate): Promise<void>;
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

/** Of the clients of this provider. */
export async function unsettledOf(store: TriggerStore, provider: string): Promise<readonly Trigger[]> {
  const prefix = formatKey(clientKey(provider, ''));
  const keys = (await store.keys()).filter((key) => key.startsWith(prefix));
  const all: Trigger[] = [];
  for (const some of inParts(keys, KEYS_IN_ONE_STEP))
    for (const found of (await store.of(some)).values()) all.push(...found.map(({ trigger }) => trigger));
  return all;
}

const KEYS_IN_ONE_STEP = 100;

/** How many triggers are read in one step. */
export const PAGE = 1_000;
