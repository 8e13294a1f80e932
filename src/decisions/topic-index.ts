import type { LogParts } from './log.js';

/**
 * An index of the decisions of one owner in a topic, for questions. A crash at any point costs a repeated read. Methods throw
 * SyncError ERR_DECISIONS_UNREACHABLE (retriable).
 */
export interface TopicIndex {
  /** Where the next read of the topic begins; empty: at its beginning. */
  readonly position: string;
  /** The index has what was in the topic at this instant (ISO 8601); undefined before it was complete for the first time. */
  readonly until: string | undefined;
  /**
   * Takes what was read after `position`. `readAt` (ISO 8601) is an instant before that read, up to which the index is then
   * complete; where a decision is missing, its extent says so. A signal that aborts ends it early.
   */
  take(parts: LogParts, readAt: string, signal: AbortSignal): Promise<void>;
  /** The topic is another one than before: everything is read again, and what the former one had since the last read is lost. */
  replaced(): void;
  close(): Promise<void>;
}
