import type { ProviderSettings } from '../config/config.js';
import type { BackoffParts } from '../src/identity/backoff.js';
import type { Channel } from '../src/intake/channel-activity.js';
import { requestFullRead } from '../src/intake/full-read.js';
import { type PollDeps, runFullReads, runPoll, signalsPollName } from '../src/intake/poll.js';
import { runRechecks } from '../src/intake/recheck.js';
import { runSubscription, subscriptionsOf } from '../src/intake/subscription.js';
import type { Rechecks } from '../src/queue/rechecks.js';
import { lastReadName, parseLastRead } from '../src/reconcile/last-read.js';

/** If only complete reads find changes, they may cost ten requests a second. */
const MS_PER_REQUEST = 100;

export type WatchPorts = PollDeps & { readonly rechecks: Rechecks };

/**
 * Every loop that watches one identity provider, besides its webhook. Each ends when the signal aborts. The complete reads
 * begin after `first`.
 */
export function watchProvider(
  parts: Omit<BackoffParts, 'directory' | 'source'> & {
    readonly settings: Pick<ProviderSettings, 'name' | 'pollMs' | 'fullReadMs' | 'webhookSecrets'>;
  },
  deps: WatchPorts,
  signal: AbortSignal,
  first: Promise<void> = Promise.resolve(),
): readonly Promise<void>[] {
  const { settings, poll, signals } = parts;
  const { name, pollMs, fullReadMs } = settings;
  // No directory is read before `first`, so a read that a poll has queued by then is the one of the start.
  let isReadQueued = false;
  const isPaused = () => (parts.pause()?.until ?? 0) > deps.clock.now();
  const onFullRead = () => {
    isReadQueued = true;
  };
  const onNoLog = async () => {
    const last = parseLastRead(await deps.keyValues.get(lastReadName(name)));
    const restMs = Math.max(pollMs, (last?.requests ?? 0) * MS_PER_REQUEST);
    const sinceMs = last === undefined ? restMs : deps.clock.now() - Date.parse(last.at);
    if (sinceMs < 0 || sinceMs >= restMs) await requestFullRead(name, deps);
  };
  const pushed: readonly Channel[] = [
    ...(settings.webhookSecrets.length > 0 ? (['webhook'] as const) : []),
    ...(signals !== undefined && signals.poll === undefined ? (['signals'] as const) : []),
  ];
  return [
    // Without a log to poll, the directory is read completely at the poll interval.
    first.then(() =>
      runFullReads(
        name,
        poll === undefined ? Math.min(pollMs, fullReadMs) : fullReadMs,
        deps,
        signal,
        isReadQueued,
      ),
    ),
    runRechecks(name, isPaused, deps, signal),
    ...(poll === undefined
      ? []
      : [runPoll(poll, { intervalMs: pollMs, otherChannels: pushed, onFullRead, onNoLog }, deps, signal)]),
    ...(signals?.poll === undefined
      ? []
      : [
          runPoll(
            signals.poll,
            { intervalMs: pollMs, name: signalsPollName(name), channel: 'signals' },
            deps,
            signal,
          ),
        ]),
    ...subscriptionsOf({ ...parts, provider: name }).map((each) =>
      runSubscription(each.subscription, each.name, deps, signal),
    ),
  ];
}
