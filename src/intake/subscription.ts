import { z } from 'zod';
import { type Clock, isoInstant } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import type { ProviderParts } from '../identity/provider-parts.js';
import type { EventSubscription } from '../identity/source.js';
import { firstOf } from '../linked-signal.js';
import type { Logger } from '../observe.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import { Outage, retryMs } from '../repeat.js';
import { eventScope } from './accept-events.js';
import { type FullReadDeps, requestFullRead } from './full-read.js';

interface SubscriptionDeps extends FullReadDeps {
  readonly keyValues: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

const Renewal = z.object({
  /** The adapter's state; opaque. */
  stored: z.string(),
  /** ISO 8601. */
  renewedAt: z.string(),
  expiresAt: z.string().optional(),
});
export type Renewal = z.infer<typeof Renewal>;

const MIN_WAIT_MS = 1_000;
/** A subscription is checked at least once a day, because somebody may have removed it. */
const MAX_WAIT_MS = 24 * 3600_000;
const MAX_RETRY_MS = 300_000;

/**
 * Keeps a subscription alive: renews it when it is due, and stores what the adapter returns. If events may be lost,
 * everything is compared. `name` is the name of this subscription among those of its provider.
 */
export async function runSubscription(
  subscription: EventSubscription,
  name: string,
  deps: SubscriptionDeps,
  signal: AbortSignal,
): Promise<void> {
  const { provider } = subscription;
  const { keyValues, clock, logger, metrics } = deps;
  const outage = new Outage();
  const hasSeen = (eventId: string) => keyValues.has(eventScope(provider), eventId);
  let failures = 0;
  // An adapter reports a gap once, and the store may fail at that moment.
  let hasUnreportedGap = false;
  while (!signal.aborted) {
    let waitMs: number;
    try {
      const before = await readRenewal(name, keyValues);
      const state = await subscription.renew(before?.stored, signal, hasSeen);
      const renewal: Renewal = {
        stored: state.stored,
        renewedAt: isoInstant(clock),
        ...(state.expiresAt === undefined ? {} : { expiresAt: state.expiresAt }),
      };
      hasUnreportedGap ||= state.gap;
      if (hasUnreportedGap) {
        logger.warn(
          { provider },
          'a subscription had expired or was silent: scopemesh compares everything with the directory',
        );
        await requestFullRead(provider, deps, 'subscription');
        hasUnreportedGap = false;
      }
      await keyValues.set(renewalName(name), JSON.stringify(renewal));
      failures = 0;
      const lastedMs = outage.ends(clock.now());
      if (lastedMs !== undefined) logger.info({ provider, lastedMs }, 'a subscription is active again');
      waitMs = Math.min(Math.max(state.renewAfterMs, MIN_WAIT_MS), MAX_WAIT_MS);
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof SyncError ? error.code : 'ERR_INTERNAL';
      metrics.count('scopemesh_subscription_failures_total', { provider, code });
      if (outage.begins(clock.now()))
        logger.warn(
          { provider, code, error: messageOf(error) },
          'a subscription cannot be renewed; scopemesh tries again',
        );
      const retryAfterMs = error instanceof SyncError ? error.retryAfterMs : undefined;
      waitMs = retryMs(++failures, MAX_RETRY_MS, retryAfterMs ?? 0);
    }
    const wake = subscription.nextWakeup?.bind(subscription);
    const wait = (either: AbortSignal) => [
      clock.sleep(waitMs, either),
      // A provider that reports changes all the time must not be asked all the time.
      ...(wake === undefined ? [] : [wake(either).then(() => clock.sleep(MIN_WAIT_MS, either))]),
    ];
    await firstOf(signal, wait).catch(() => {});
  }
}

/** Every subscription of a provider, with its name. */
export function subscriptionsOf({
  provider,
  subscription,
  signals,
}: Pick<ProviderParts, 'subscription' | 'signals'> & { readonly provider: string }): readonly {
  readonly name: string;
  readonly subscription: EventSubscription;
}[] {
  return [
    ...(subscription === undefined ? [] : [{ name: provider, subscription }]),
    ...(signals?.subscription === undefined
      ? []
      : [{ name: `signals/${provider}`, subscription: signals.subscription }]),
  ];
}

/** The last renewal of a subscription, by any process. */
export async function readRenewal(
  name: string,
  keyValues: Pick<KeyValueStore, 'get'>,
): Promise<Renewal | undefined> {
  const text = await keyValues.get(renewalName(name));
  return text === undefined ? undefined : Renewal.parse(JSON.parse(text));
}

function renewalName(name: string): string {
  return `subscription/${name}`;
}
