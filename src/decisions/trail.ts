import type { AboutKind, Decision } from '../model/decision.js';

/** What a decision is about, or who caused it. A name is as the decision has it. */
export interface TrailParty {
  readonly kind: AboutKind;
  readonly name: string;
}

/** What the trail covers. Instants are ISO 8601 in UTC. */
export interface TrailExtent {
  /** The time of the first and of the last decision; undefined for an empty trail. */
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** Older decisions were deleted. What each subject had at that time is kept, but for `isForgetful`. */
  readonly isCut: boolean;
  /** What was deleted is not kept: an edge that is older may be missing. */
  readonly isForgetful?: true;
  /** Present in an index that follows a topic. */
  readonly index?: IndexReach;
}

/** What an index has of the topic that it follows. */
export interface IndexReach {
  /** It has what was in the topic at this instant. */
  readonly until: string;
  /** That was too long ago for an answer about now. */
  readonly isBehind: boolean;
  /** Between these instants decisions are missing, or may be. */
  readonly gaps: readonly { readonly after: string; readonly until: string }[];
  /** The first decision that does not continue the chain. */
  readonly broken?: { readonly id: string; readonly time: string };
}

/** An instant, ISO 8601; or a decision of the trail, by its ID, and everything before it. */
export type TrailEnd = string | { readonly id: string };

export interface HistoryOptions {
  /** ISO 8601; both ends included. */
  readonly from?: string | undefined;
  readonly to?: TrailEnd | undefined;
}

/**
 * Reads a decision trail by what decisions are about, without a walk over all of it. Methods throw SyncError
 * ERR_DECISIONS_UNREACHABLE (retriable). Repeating is safe: nothing is written.
 */
export interface Trail {
  extent(): Promise<TrailExtent>;
  /** Each subject that ever concerned this, or every subject that begins with a text; sorted. */
  subjects(of: TrailParty | { readonly prefix: string }): AsyncIterable<string>;
  /** The decisions of one subject up to an end, newest first. The oldest may be one that was kept when others were deleted. */
  newestFirst(subject: string, at: TrailEnd): AsyncIterable<Decision>;
  /** The first decision of a subject after an end. */
  next(subject: string, at: TrailEnd): Promise<Decision | undefined>;
  /** Undefined if the trail does not have it. */
  decision(id: string): Promise<Decision | undefined>;
  /** The events as they are stored, oldest first, from the last checkpoint before a decision on; none if it is not there. */
  eventsAround(id: string): AsyncIterable<string>;
  /** Decisions, newest first: of one subject, of one name, or all. */
  history(
    of: TrailParty | { readonly subject: string } | 'all',
    options: HistoryOptions,
  ): AsyncIterable<Decision>;
  close(): Promise<void>;
}
