import { setImmediate } from 'node:timers/promises';

/** An event as it is stored, with its position. Every reader of a feed gets the same object for an event. */
export interface FeedEvent {
  readonly seq: number;
  readonly event: string;
}

/**
 * The local log, or the local index of a topic, for many readers that follow it: what is new is read once for all of them.
 * Each reader has a position of its own and takes a page when it can, so a slow one keeps nothing waiting. Throws SyncError
 * ERR_DECISIONS_UNREACHABLE.
 */
export interface DecisionFeed {
  /** The position of the newest event; 0 in an empty log. */
  last(): number;
  /** The position of an event; undefined if the log does not have it. */
  find(id: string): number | undefined;
  /** The ID of the newest decision; undefined if there is none. */
  newestId(): string | undefined;
  /** The next events after a position, oldest first; none at the end. */
  page(after: number): readonly FeedEvent[];
  /** Resolves when there may be more, or the signal is aborted. */
  more(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Every event after a position, then new ones until the signal aborts. */
export async function* follow(
  feed: DecisionFeed,
  from: number,
  signal: AbortSignal,
): AsyncIterable<FeedEvent> {
  let after = from;
  while (!signal.aborted) {
    const page = feed.page(after);
    for (const each of page) {
      if (signal.aborted) return;
      after = each.seq;
      yield each;
    }
    // A fast reader never waits: others get their turn here.
    if (page.length > 0) await setImmediate();
    else await feed.more(signal);
  }
}
