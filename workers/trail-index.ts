import type { Config } from '../config/config.js';
import { isoInstant } from '../src/clock.js';
import { type DecisionLog, MissingTopic, ReplacedLog } from '../src/decisions/log.js';
import type { TopicIndex } from '../src/decisions/topic-index.js';
import { messageOf, SyncError } from '../src/errors.js';
import type { StoreParts } from '../src/queue/store-parts.js';
import { type Attempt, Outage, repeat } from '../src/repeat.js';
import type { Runtime } from '../src/runtime.js';
import { openDecisionLog, openTopicIndex } from './wire.js';

/** How often the topic is asked for news. */
const EVERY_MS = 2_000;

/**
 * Keeps the local index of the topic up to date until the signal aborts, apart from the relay, so that nothing here delays a
 * decision. Every replica has its own, the leader and the standbys. Never rejects.
 */
export async function runTrailIndex(
  config: Pick<Config, 'owner' | 'decisions' | 'state' | 'queue'>,
  { space }: { readonly space: Pick<StoreParts['space'], 'isLow'> },
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  const { decisions, queue } = config;
  if (decisions.kind !== 'kafka' || !decisions.index) return;
  const { clock, logger, metrics } = runtime;
  const outage = new Outage();
  let opened: { readonly log: DecisionLog; readonly index: TopicIndex } | undefined;
  let until = clock.now();

  const close = async () => {
    const closing = opened;
    opened = undefined;
    await Promise.allSettled([closing?.log.close(), closing?.index.close()]);
  };
  const open = async () => {
    const index = await openTopicIndex(config, decisions.keepMs, runtime);
    opened = { index, log: await openDecisionLog(config, runtime) };
    // A read of a topic that is missing could make it, with the brokers' defaults.
    await opened.log.check();
    return opened;
  };
  const attempt = async (): Promise<Attempt> => {
    try {
      // On the disk of the embedded store it must not use up what is kept back for revocations.
      if (queue.kind === 'embedded' && space.isLow()) {
        if (outage.begins(clock.now()))
          logger.warn({}, 'the index of the topic waits until its disk has space again');
        return 'done';
      }
      const { log, index } = opened ?? (await open());
      if (index.until !== undefined) until = Date.parse(index.until);
      const isMore = await follow(log, index, isoInstant(clock), signal);
      if (index.until !== undefined) until = Date.parse(index.until);
      const lastedMs = outage.ends(clock.now());
      if (lastedMs !== undefined) logger.info({ lastedMs }, 'the index of the topic is updated again');
      return isMore ? 'more' : 'done';
    } catch (error) {
      await close();
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
    } finally {
      metrics.gauge('scopemesh_trail_index_lag_seconds', Math.max(0, clock.now() - until) / 1000);
    }
  };
  await repeat(EVERY_MS, attempt, clock, signal);
  await close();
}

/** True if there is more to read at once. */
async function follow(
  log: DecisionLog,
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
