import type { ProviderSettings } from '../config/config.js';
import type { PausingParts } from '../src/identity/pauses.js';
import type { Rechecks } from '../src/queue/rechecks.js';
import { type PollDeps, runFullReads, runPoll, signalsPollName } from './poll.js';
import { runRechecks } from './recheck.js';
import { runSubscription, subscriptionsOf } from './subscription.js';

/** Everything that watches one identity provider, beside its webhook; each ends when the signal aborts. */
export function watchProvider(
  parts: PausingParts & { readonly settings: ProviderSettings },
  deps: PollDeps & { readonly rechecks: Rechecks },
  signal: AbortSignal,
): readonly Promise<void>[] {
  const { settings, poll, signals } = parts;
  const { name, pollMs, fullReadMs } = settings;
  const isPaused = () => (parts.pausedUntil() ?? 0) > deps.clock.now();
  // That of the kind itself: shared signals that are pushed bring other events.
  const hasWebhook = settings.webhookSecrets.length > 0;
  return [
    // A provider without a log is compared completely as often as its log would be read.
    runFullReads(name, poll === undefined ? Math.min(pollMs, fullReadMs) : fullReadMs, deps, signal),
    runRechecks(name, isPaused, deps, signal),
    ...(poll === undefined ? [] : [runPoll(poll, { intervalMs: pollMs, hasWebhook }, deps, signal)]),
    ...(signals?.poll === undefined
      ? []
      : [
          runPoll(
            signals.poll,
            { intervalMs: pollMs, name: signalsPollName(name), hasWebhook: false, channel: 'signals' },
            deps,
            signal,
          ),
        ]),
    ...subscriptionsOf(parts).map((each) => runSubscription(each.subscription, each.name, deps, signal)),
  ];
}
