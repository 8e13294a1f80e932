import type { Trigger } from '../model/trigger.js';

/** Something to read again after an event, because directories may answer with an old state at first. */
export interface Recheck {
  /** What it is about. A later recheck with the same ID replaces it. */
  readonly id: string;
  /** Queued when the recheck is due. */
  readonly trigger: Trigger;
  /** Milliseconds since the epoch, when the event came. */
  readonly eventAt: number;
  /** How many reads there were since. */
  readonly looks: number;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
}

/** The durable list of rechecks, by provider. Throws SyncError ERR_QUEUE_UNREACHABLE. */
export interface Rechecks {
  /** Replaces those with the same IDs. Resolves once durable; repeating is harmless. */
  put(provider: string, rechecks: readonly Recheck[]): Promise<void>;
  /** The due ones, the longest due first; at most `most`. */
  due(provider: string, now: number, most: number): Promise<readonly Recheck[]>;
  /** Replaces what `due` returned with the next recheck, or deletes it, unless another one replaced it meanwhile. */
  move(
    provider: string,
    moves: readonly { readonly from: Recheck; readonly to: Recheck | undefined }[],
  ): Promise<void>;
  count(provider: string): Promise<number>;
}
