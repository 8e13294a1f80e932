import { messageOf, SyncError } from '../errors.js';
import type { ChainLink, Decision } from '../model/decision.js';
import type { Logger } from '../observe.js';
import { isCheckpointEvent, type StoredCheckpoint } from './checkpoint.js';
import { parseCloudEvent, parseJson } from './envelope.js';

/** The topic does not exist, or its user may not see it, and it was not created. */
export class MissingTopic extends SyncError {}

export interface ReadOptions {
  /** `start`: all decisions; `end`: only new ones; or an ISO 8601 instant. */
  readonly from: 'start' | 'end' | string;
  /** The ID of an event of the embedded log: only what is after it. Throws ERR_EVENT_INVALID if the log does not have it. */
  readonly after?: string;
  /** Whether to wait for more (`tail`) or to end at the newest (`list`). */
  readonly follow: boolean;
}

/** The log was closed before the call. */
export function closedLog(): SyncError {
  return new SyncError('ERR_DECISIONS_UNREACHABLE', 'The decision log is closed.', { retriable: false });
}

/** The log is another one than that of a position: it was made again under the same name, or the place is another. */
export class ReplacedLog extends SyncError {}

/** A log that was read in parts, which keep only the order of each subject. */
export interface LogParts {
  /** The parts of which events were deleted before this read: their oldest ones. */
  readonly cut: readonly string[];
  /**
   * The events as they are stored, each with its part; in the order of the part. If the signal aborts, they end early. Throws
   * ReplacedLog. `place`: for people, of a topic.
   */
  readonly events: AsyncIterable<{ readonly part: string; readonly event: string; readonly place?: string }>;
  /** Behind the events that were read so far, for the next `readParts`. */
  position(): string;
}

/** A stored event, and the position behind it. */
export interface PlacedEvent {
  readonly event: string;
  readonly position: string;
  /** Events before it were deleted before they were read. */
  readonly isAfterGap?: true;
}

/**
 * The topic. Decisions of one subject keep their order. Throws SyncError ERR_DECISIONS_UNREACHABLE (retriable).
 */
export interface DecisionLog {
  /**
   * Makes sure that the topic exists, and creates it if it is missing. Repeating is safe. If a person must create it or
   * grant a permission, throws an error that is not retriable and says what to do.
   */
  check(): Promise<void>;
  /** An opaque position before which nothing appended later can be; also one for `readFrom`. */
  position(): Promise<string>;
  /** All or none; durable when it resolves. After an error it is unknown whether they are in: ask `contains`. */
  append(decisions: readonly Decision[]): Promise<void>;
  /**
   * The place in the chain of the last decision; undefined if there is none, or `unknown` if that cannot be found out. A topic
   * with several logs answers about `log`. `known` is the number that the caller expects: a smaller one is an answer only if
   * nothing was deleted that could have it.
   */
  lastLink(log: string, known: number): Promise<ChainLink | undefined | 'unknown'>;
  /** Appends a checkpoint after the decisions appended before. Repeating is harmless. */
  appendCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
  /** Which of the IDs are in the log at or after `since`. Also ends open transactions of an earlier writer. */
  contains(ids: readonly string[], since: string): Promise<ReadonlySet<string>>;
  read(options: ReadOptions, signal: AbortSignal): AsyncIterable<Decision>;
  /** The events as they are stored, as JSON: decisions and checkpoints. */
  readEvents(options: ReadOptions, signal: AbortSignal): AsyncIterable<string>;
  /**
   * Every event at or after a position, then new ones until the signal aborts. What was deleted is left out; of a log that
   * was replaced, everything is read.
   */
  readFrom(position: string, signal: AbortSignal): AsyncIterable<PlacedEvent>;
  /**
   * All that is stored now, by part; with a position of an earlier read, only what follows it. A log without parts has one,
   * keeps its order, and always gives all. Throws ReplacedLog.
   */
  readParts(signal: AbortSignal, since?: string): Promise<LogParts>;
  close(): Promise<void>;
}

/** Milliseconds of an instant, undefined for `start` and `end`. */
export function instantOf(from: ReadOptions['from']): number | undefined {
  if (from === 'start' || from === 'end') return undefined;
  const instant = Date.parse(from);
  if (Number.isNaN(instant)) {
    throw new SyncError('ERR_INTERNAL', 'Decisions are read from start, end or an ISO 8601 instant.', {
      retriable: false,
    });
  }
  return instant;
}

/** The proven decisions in a log. Skips checkpoints in silence, and with a warning what a later version wrote in another form. */
export async function* readDecisions(
  log: Pick<DecisionLog, 'readEvents'>,
  options: ReadOptions,
  signal: AbortSignal,
  logger: Logger,
  isProven: (event: string) => boolean = () => true,
): AsyncIterable<Decision> {
  const from = instantOf(options.from);
  for await (const event of log.readEvents(options, signal)) {
    if (!isProven(event)) continue;
    const decision = parseStored(event, logger);
    if (decision === undefined) continue;
    if (from === undefined || Date.parse(decision.time) >= from) yield decision;
  }
}

/** The decision in an event of a log, as JSON; undefined for a checkpoint. Throws SyncError ERR_EVENT_INVALID. */
export function parseLogEvent(text: string): Decision | undefined {
  const event = parseJson(text);
  return isCheckpointEvent(event) ? undefined : parseCloudEvent(event);
}

/** The same, but what is no event of scopemesh is logged and skipped. */
export function parseStored(text: string, logger: Logger): Decision | undefined {
  try {
    return parseLogEvent(text);
  } catch (error) {
    logger.warn({ error: messageOf(error) }, 'skipped an event that is not a decision');
    return undefined;
  }
}
