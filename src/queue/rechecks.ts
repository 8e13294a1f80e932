import type { Trigger } from '../model/trigger.js';

/** Something to be looked at again after an event, because directories answer with old state. */
export interface Recheck {
  /** What it is about: a later one of the same id takes its place. */
  readonly id: string;
  /** What is queued when it is due. */
  readonly trigger: Trigger;
  /** Milliseconds since the epoch, when the event came. */
  readonly eventAt: number;
  /** How often it has been looked at since. */
  readonly looks: number;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
}

/** The durable list of what is to be looked at again, by provider. Throws SyncError ERR_QUEUE_UNREACHABLE. */
export interface Rechecks {
  /** Takes the place of those with the same ids. Resolves once durable; repeating is harmless. */
  put(provider: string, rechecks: readonly Recheck[]): Promise<void>;
  /** What is due, the longest due first; at most `most`. */
  due(provider: string, now: number, most: number): Promise<readonly Recheck[]>;
  /** Exchanges what `due` gave for the next look, or ends it, unless another took its place meanwhile. */
  move(
    provider: string,
    moves: readonly { readonly from: Recheck; readonly to: Recheck | undefined }[],
  ): Promise<void>;
  count(provider: string): Promise<number>;
}
