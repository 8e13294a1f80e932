import { z } from 'zod';
import { type Clock, isoInstant } from '../clock.js';
import { messageOf, NoLog, SyncError } from '../errors.js';
import type { EventPoll } from '../identity/source.js';
import type { Logger } from '../observe.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Queue } from '../queue/queue.js';
import { Outage, repeat } from '../repeat.js';
import { type AcceptDeps, acceptEvents } from './accept-events.js';
import type { Channel, ChannelActivity } from './channel-activity.js';
import { EventGaps } from './event-gaps.js';
import { type FullReadDeps, requestFullRead } from './full-read.js';
import type { RejectedEvents } from './rejected-events.js';

export interface PollDeps extends AcceptDeps {
  readonly queue: Pick<Queue, 'add'>;
  readonly keyValues: KeyValueStore;
  readonly activity: ChannelActivity;
  readonly rejectedEvents: Pick<RejectedEvents, 'record'>;
  readonly logger: Logger;
}

export interface PollOptions {
  readonly intervalMs: number;
  /** The key of the stored cursor; `poll/<provider>` by default. */
  readonly name?: string;
  /** Other channels on which events of the provider arrive, so that their silence is noticed. */
  readonly otherChannels?: readonly Channel[];
  /** The channel of these events; `poll` by default. */
  readonly channel?: Channel;
  /** Called when a complete comparison with the directory is queued for what this log may have left out. */
  readonly onFullRead?: () => void;
  /** Called at each poll while the identity provider keeps no log. */
  readonly onNoLog?: () => Promise<void>;
}

const PollStatus = z.object({
  /** ISO 8601: when the last poll succeeded. */
  at: z.string(),
  /** The total number of events that the webhook did not deliver and the poll did. */
  missedSignals: z.number(),
});

/** After failures the wait grows to the second. */
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

/** Reads the identity provider's own log from a stored cursor: it has what a webhook cannot carry, or loses. */
export async function runPoll(
  poll: EventPoll,
  options: PollOptions,
  deps: PollDeps,
  signal: AbortSignal,
): Promise<void> {
  const { provider } = poll;
  const { keyValues, clock, logger, metrics } = deps;
  const { intervalMs, name = pollName(provider), channel = 'poll' } = options;
  const outage = new Outage();
  const gaps = new EventGaps(provider, [...(options.otherChannels ?? []), channel], deps);
  await repeat(
    intervalMs,
    async () => {
      try {
        const from = await keyValues.get(name);
        const { events, cursor, gap, rejected = [], isMore } = await poll.poll(from, signal);
        const fresh = await acceptEvents(provider, events, channel, deps);
        const receivedAt = isoInstant(clock);
        for (const error of rejected) {
          metrics.count('scopemesh_events_total', { provider, result: 'rejected' });
          await deps.rejectedEvents.record(provider, error, { kind: 'poll', receivedAt });
        }
        if (gap)
          logger.warn({ provider }, 'events may be lost: scopemesh compares everything with the directory');
        // A change after the first complete read and before a first cursor is in neither.
        if (gap || from === undefined) {
          await requestFullRead(provider, deps, gap ? 'log' : undefined);
          options.onFullRead?.();
        }
        await keyValues.set(name, cursor);
        const { missed, newGaps } = await gaps.check(fresh);
        if (missed > 0) metrics.count('scopemesh_missed_signals_total', { provider }, missed);
        for (const reason of newGaps) {
          logger.warn(
            { provider, reason },
            'events do not arrive as expected: scopemesh compares everything with the directory',
          );
          await requestFullRead(provider, deps, reason);
        }
        const before = await readPollStatus(name, keyValues);
        const status = {
          at: isoInstant(clock),
          missedSignals: (before?.missedSignals ?? 0) + missed,
        };
        await keyValues.set(statusName(name), JSON.stringify(status));
        const lastedMs = outage.ends(clock.now());
        if (lastedMs !== undefined)
          logger.info({ provider, lastedMs }, 'polling the identity provider works again');
        return isMore === true ? 'more' : 'done';
      } catch (error) {
        if (signal.aborted) return { failed: true };
        const code = error instanceof SyncError ? error.code : 'ERR_INTERNAL';
        metrics.count('scopemesh_poll_failures_total', { provider, code });
        if (outage.begins(clock.now())) {
          logger.warn(
            { provider, code, error: messageOf(error) },
            'polling the identity provider failed; scopemesh tries again',
          );
        }
        if (error instanceof NoLog)
          await options.onNoLog?.().catch((cause: unknown) => {
            logger.warn(
              { provider, error: messageOf(cause) },
              'a complete comparison could not be queued; scopemesh tries again',
            );
          });
        const retryAfterMs = error instanceof SyncError ? error.retryAfterMs : undefined;
        // Whatever it asks for: each interval, one poll tests whether it answers again.
        const waitMs = Math.min(retryAfterMs ?? 0, Math.max(intervalMs, MIN_RETRY_MS));
        return { failed: true, retryAfterMs: waitMs };
      }
    },
    clock,
    signal,
    MAX_RETRY_MS,
    // The log may be a little behind what announces its entries.
    poll.nextWakeup && { wait: poll.nextWakeup.bind(poll), isHint: true },
  );
}

/** The key of the cursor of a provider's own log. */
export function pollName(provider: string): string {
  return `poll/${provider}`;
}

/** The key of the cursor of the shared signals of a provider. */
export function signalsPollName(provider: string): string {
  return `signals/${provider}`;
}

/** The last successful poll of a log, by any process. `name` is the key of its cursor. */
export async function readPollStatus(
  name: string,
  keyValues: Pick<KeyValueStore, 'get'>,
): Promise<z.infer<typeof PollStatus> | undefined> {
  const text = await keyValues.get(statusName(name));
  return text === undefined ? undefined : PollStatus.parse(JSON.parse(text));
}

function statusName(name: string): string {
  return `polled/${name}`;
}

/**
 * Queues a complete comparison with the directory, at the start and then at each interval. `isQueued`: the one of the start
 * waits in the queue already.
 */
export async function runFullReads(
  provider: string,
  intervalMs: number,
  deps: FullReadDeps & { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
  isQueued = false,
): Promise<void> {
  let isDue = !isQueued;
  await repeat(
    intervalMs,
    async () => {
      try {
        if (isDue) await requestFullRead(provider, deps);
        isDue = true;
        return 'done';
      } catch (error) {
        if (!signal.aborted)
          deps.logger.warn(
            { provider, error: messageOf(error) },
            'a complete comparison could not be queued; scopemesh tries again',
          );
        return { failed: true };
      }
    },
    deps.clock,
    signal,
  );
}
