import type { Replica } from '../model/replica.js';

/** A replica that did not show itself for this long is no longer listed. */
export const ROSTER_LIFE_MS = 20_000;
/** A replica that is shown beyond this number takes the place of the one that was seen first. */
export const MAX_REPLICAS = 64;

/** The replicas that work on a store. Throws SyncError ERR_QUEUE_UNREACHABLE. */
export interface Roster {
  /** Lists this replica for `ROSTER_LIFE_MS` more. */
  show(replica: Replica): Promise<void>;
  /** Lists it no more. Repeating is safe. */
  leave(name: Replica['replica']): Promise<void>;
  /** Sorted by name. */
  list(): Promise<readonly SeenReplica[]>;
}

export interface SeenReplica extends Replica {
  /** Since it last showed itself, by the clock of the store. */
  readonly seenMs: number;
}
