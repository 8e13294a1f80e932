import { z } from 'zod';
import type { Clock } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
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
  readonly rejectedEvents: RejectedEvents;
  readonly logger: Logger;
}

export interface PollOptions {
  readonly intervalMs: number;
  /** Under which the cursor is kept; `poll/<provider>` by default. */
  readonly name?: string;
  /** By which ways events of the provider come beside this one, so that their silence is noticed. */
  readonly beside?: readonly Channel[];
  /** By which way these events come; `poll` by default. */
  readonly channel?: Channel;
}

const Polled = z.object({
  /** ISO 8601: when the last poll succeeded. */
  at: z.string(),
  /** How many events the webhook should have brought and only the poll did, in all. */
  missedSignals: z.number(),
});

/** An IdP that refuses is asked less and less often, up to this. */
const LONGEST_RETRY_MS = 60_000;

/** What a webhook cannot carry or loses: the IdP's own log, read on from a stored cursor. */
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
  const gaps = new EventGaps(provider, [...(options.beside ?? []), channel], deps);
  await repeat(
    intervalMs,
    async () => {
      try {
        const from = await keyValues.get(name);
        const { events, cursor, gap, rejected = [], isMore } = await poll.poll(from, signal);
        const fresh = await acceptEvents(provider, events, channel, deps);
        const receivedAt = new Date(clock.now()).toISOString();
        for (const error of rejected) {
          metrics.count('scopemesh_events_total', { provider, result: 'rejected' });
          await deps.rejectedEvents.record(provider, error, { kind: 'poll', receivedAt });
        }
        if (gap) {
          logger.warn({ provider }, 'events may have been lost: everything is compared');
          await requestFullRead(provider, deps, 'log');
        } else if (from === undefined) {
          // What changed after the first complete read and before this first cursor is in neither.
          await requestFullRead(provider, deps);
        }
        await keyValues.set(name, cursor);
        const { missed, begun } = await gaps.look(fresh);
        if (missed > 0) metrics.count('scopemesh_missed_signals_total', { provider }, missed);
        for (const reason of begun) {
          logger.warn({ provider, reason }, 'events do not come as they used to: everything is compared');
          await requestFullRead(provider, deps, reason);
        }
        const before = await readPolled(name, keyValues);
        const polled = {
          at: new Date(clock.now()).toISOString(),
          missedSignals: (before?.missedSignals ?? 0) + missed,
        };
        await keyValues.set(polledFact(name), JSON.stringify(polled));
        const lasted = outage.ends(clock.now());
        if (lasted !== undefined)
          logger.info({ provider, lastedMs: lasted }, 'polling the identity provider works again');
        return isMore === true ? 'more' : 'done';
      } catch (error) {
        if (signal.aborted) return { failed: true };
        const code = error instanceof SyncError ? error.code : 'ERR_INTERNAL';
        metrics.count('scopemesh_poll_failures_total', { provider, code });
        if (outage.begins(clock.now())) {
          logger.warn(
            { provider, code, error: messageOf(error) },
            'polling the identity provider failed; it goes on trying',
          );
        }
        const asked = error instanceof SyncError ? error.retryAfterMs : undefined;
        return { failed: true, ...(asked === undefined ? {} : { retryAfterMs: asked }) };
      }
    },
    clock,
    signal,
    LONGEST_RETRY_MS,
    poll.hasNews?.bind(poll),
  );
}

/** Under which the cursor of a provider's own log is kept. */
export function pollName(provider: string): string {
  return `poll/${provider}`;
}

/** Under which the cursor of the shared signals beside a provider is kept. */
export function signalsPollName(provider: string): string {
  return `signals/${provider}`;
}

/** The last successful poll of a log, by whatever process; `name` as of its cursor. */
export async function readPolled(
  name: string,
  keyValues: Pick<KeyValueStore, 'get'>,
): Promise<z.infer<typeof Polled> | undefined> {
  const text = await keyValues.get(polledFact(name));
  return text === undefined ? undefined : Polled.parse(JSON.parse(text));
}

function polledFact(name: string): string {
  return `polled/${name}`;
}

/** The complete comparison with the directory, at the start and then regularly. */
export async function runFullReads(
  provider: string,
  intervalMs: number,
  deps: FullReadDeps & { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  await repeat(
    intervalMs,
    async () => {
      try {
        await requestFullRead(provider, deps);
        return 'done';
      } catch (error) {
        if (!signal.aborted)
          deps.logger.warn(
            { provider, error: messageOf(error) },
            'a complete comparison could not be queued',
          );
        return { failed: true };
      }
    },
    deps.clock,
    signal,
  );
}
