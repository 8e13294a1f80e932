import { isoInstant } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import { type Attempt, Outage, repeat } from '../repeat.js';
import type { Runtime } from '../runtime.js';
import { type DecisionLog, type LogParts, MissingTopic, ReplacedLog } from './log.js';

/** How often the topic is asked for news. */
const EVERY_MS = 2_000;

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

export interface TopicIndexDeps extends Runtime {
  /** Called again after each failure. */
  readonly openIndex: () => Promise<TopicIndex>;
  readonly openLog: () => Promise<Opened['log']>;
  /** Nothing is written while it is true. */
  readonly isPaused: () => boolean;
}

/** What one attempt uses, and the next one after a success. */
interface Opened {
  readonly index: TopicIndex;
  readonly log: Pick<DecisionLog, 'check' | 'readParts' | 'close'>;
}

/** Takes what is new in the topic into its index, again and again until the signal aborts. Never rejects. */
export async function updateTopicIndex(deps: TopicIndexDeps, signal: AbortSignal): Promise<void> {
  const { clock, logger, metrics } = deps;
  const outage = new Outage();
  let opened: Opened | undefined;
  let until = clock.now();
  const noteUntil = ({ until: instant }: TopicIndex) => {
    if (instant !== undefined) until = Date.parse(instant);
  };

  const update = async (): Promise<Attempt> => {
    if (deps.isPaused()) {
      if (outage.begins(clock.now()))
        logger.warn({}, 'the index of the topic waits until its disk has space again');
      return 'done';
    }
    opened ??= await open(deps);
    const { index, log } = opened;
    noteUntil(index);
    const isMore = await takeNew(log, index, isoInstant(clock), signal);
    noteUntil(index);
    const lastedMs = outage.ends(clock.now());
    if (lastedMs !== undefined) logger.info({ lastedMs }, 'the index of the topic is updated again');
    return isMore ? 'more' : 'done';
  };
  const failed = (error: unknown): Attempt => {
    // The relay makes the topic, or says what is missing.
    if (signal.aborted || error instanceof MissingTopic) return 'done';
    if (error instanceof SyncError && error.code === 'ERR_STATE_LOCKED') {
      until = clock.now();
      if (outage.begins(until))
        logger.info({}, 'another process on this state directory keeps the index of the topic');
      return 'done';
    }
    metrics.count('scopemesh_trail_index_failures_total');
    if (outage.begins(clock.now()))
      logger.warn(
        { error: messageOf(error) },
        'the index of the topic cannot be updated; scopemesh tries again',
      );
    return { failed: true };
  };
  const attempt = async (): Promise<Attempt> => {
    try {
      return await update();
    } catch (error) {
      await close(opened);
      opened = undefined;
      return failed(error);
    } finally {
      metrics.gauge('scopemesh_trail_index_lag_seconds', Math.max(0, clock.now() - until) / 1000);
    }
  };
  await repeat(EVERY_MS, attempt, clock, signal);
  await close(opened);
}

/** Leaves nothing open if it fails: the index is locked while it is open. */
async function open({ openIndex, openLog }: TopicIndexDeps): Promise<Opened> {
  let opened: Partial<Opened> = {};
  try {
    const index = await openIndex();
    opened = { index };
    const log = await openLog();
    opened = { index, log };
    // A read of a topic that is missing could make it, with the brokers' defaults.
    await log.check();
    return { index, log };
  } catch (error) {
    await close(opened);
    throw error;
  }
}

async function close(opened: Partial<Opened> = {}): Promise<void> {
  await Promise.allSettled([opened.log?.close(), opened.index?.close()]);
}

/** True if there is more to read at once. */
async function takeNew(
  log: Opened['log'],
  index: TopicIndex,
  readAt: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await index.take(await log.readParts(signal, index.position), readAt, signal);
    return false;
  } catch (error) {
    if (!(error instanceof ReplacedLog)) throw error;
    index.replaced();
    return true;
  }
}
