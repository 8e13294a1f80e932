import type { Clock } from '../src/clock.js';
import { messageOf, SyncError } from '../src/errors.js';
import type { EventPoll } from '../src/identity/source.js';
import { providerKey } from '../src/model/key.js';
import type { Logger, Metrics } from '../src/observe.js';
import type { Facts } from '../src/queue/facts.js';
import type { Queue } from '../src/queue/queue.js';
import { acceptEvents } from './accept-events.js';
import { Outage, repeat } from './repeat.js';

export interface PollDeps {
  readonly queue: Pick<Queue, 'add'>;
  readonly facts: Facts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What a webhook cannot carry or loses: the IdP's own log, read on from a stored cursor. */
export async function runPoll(
  poll: EventPoll,
  intervalMs: number,
  deps: PollDeps,
  signal: AbortSignal,
  name = `poll/${poll.provider}`,
): Promise<void> {
  const outage = new Outage();
  await repeat(
    intervalMs,
    async () => {
      try {
        let isMore = true;
        while (isMore) {
          const result = await poll.poll(await deps.facts.get(name), signal);
          await acceptEvents(poll.provider, result.events, deps);
          if (result.gap) await requestFullRead(poll.provider, deps);
          await deps.facts.set(name, result.cursor);
          isMore = result.isMore === true && !signal.aborted;
        }
        const lasted = outage.ends(deps.clock.now());
        if (lasted !== undefined)
          deps.logger.info(
            { provider: poll.provider, lastedMs: lasted },
            'polling the identity provider works again',
          );
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const code = error instanceof SyncError ? error.code : 'ERR_INTERNAL';
        deps.metrics.count('scopemesh_poll_failures_total', { provider: poll.provider, code });
        if (outage.begins(deps.clock.now())) {
          deps.logger.warn(
            { provider: poll.provider, code, error: messageOf(error) },
            'polling the identity provider failed; it goes on trying',
          );
        }
        return false;
      }
    },
    deps.clock,
    signal,
  );
}

/** The complete comparison with the directory, at the start and then regularly. */
export async function runFullReads(
  provider: string,
  intervalMs: number,
  deps: PollDeps,
  signal: AbortSignal,
): Promise<void> {
  await repeat(
    intervalMs,
    async () => {
      try {
        await requestFullRead(provider, deps);
        return true;
      } catch (error) {
        if (!signal.aborted)
          deps.logger.warn(
            { provider, error: messageOf(error) },
            'a complete comparison could not be queued',
          );
        return false;
      }
    },
    deps.clock,
    signal,
  );
}

async function requestFullRead(provider: string, deps: PollDeps): Promise<void> {
  const receivedAt = new Date(deps.clock.now()).toISOString();
  await deps.queue.add([
    { key: providerKey(provider), fullRead: true, cause: { kind: 'full-read', receivedAt } },
  ]);
}
