import { z } from 'zod';
import type { Config, ProviderSettings } from '../../config/config.js';
import { SSF_DELIVERIES } from '../../config/providers/ssf.js';
import type { Clock } from '../clock.js';
import type { BackoffParts, Pause } from '../identity/backoff.js';
import type { AccessCheck } from '../identity/directory.js';
import { type Activity, type ChannelActivity, isSilent } from '../intake/channel-activity.js';
import { pollName, readPollStatus, signalsPollName } from '../intake/poll.js';
import { readRenewal, subscriptionsOf } from '../intake/subscription.js';
import type { Metrics } from '../observe.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Rechecks } from '../queue/rechecks.js';
import { lastReadName, parseLastRead } from '../reconcile/last-read.js';

const Instant = z.string().nullable();

/** The state of a provider. Instants are ISO 8601, ages and lags are in seconds; null means never or unknown. */
export const ProviderHealth = z.object({
  provider: z.string(),
  kind: z.string(),
  /** Null if none is configured. */
  webhook: z.object({ lastEventAt: Instant, lagSeconds: z.number().nullable() }).nullable(),
  /** Null if the provider kind has no log to poll. */
  poll: z
    .object({
      lastPollAt: Instant,
      lastEventAt: Instant,
      lagSeconds: z.number().nullable(),
      /** The first characters of the cursor. */
      cursor: z.string().nullable(),
      /** Events that the webhook should have brought and only the poll found. */
      missedSignals: z.number(),
    })
    .nullable(),
  /** Shared signals; null if none are configured. */
  signals: z
    .object({
      delivery: z.enum(SSF_DELIVERIES),
      lastEventAt: Instant,
      lagSeconds: z.number().nullable(),
      /** Null for pushed signals. */
      lastPollAt: Instant,
      /** No signal came for much longer than usual. */
      isSilent: z.boolean(),
    })
    .nullable(),
  subscriptions: z.array(z.object({ name: z.string(), renewedAt: Instant, expiresAt: Instant })),
  /** The last complete read. */
  directory: z.object({
    readAt: Instant,
    ageSeconds: z.number().nullable(),
    clients: z.number().nullable(),
    requests: z.number().nullable(),
  }),
  /** The provider refuses everything: since when, and how long until the next request. Null if it answers. */
  pause: z
    .object({
      why: z.enum(['rate-limit', 'credentials']),
      sinceSeconds: z.number(),
      remainingSeconds: z.number(),
    })
    .nullable(),
  /** Rechecks that are due after events. */
  rechecks: z.number(),
});
export type ProviderHealth = z.infer<typeof ProviderHealth>;

const StatusBody = z.object({ providers: z.array(ProviderHealth) });

/** The providers in what `/statusz` answered; empty for another version's answer. */
export function providersIn(status: unknown): readonly ProviderHealth[] {
  return StatusBody.safeParse(status).data?.providers ?? [];
}

const CURSOR_LENGTH = 32;

/** Gathers the state of a provider over all processes of this instance, and sets its gauges. */
export async function readProviderHealth(
  parts: BackoffParts & { readonly settings: ProviderSettings },
  deps: {
    readonly keyValues: KeyValueStore;
    readonly rechecks: Pick<Rechecks, 'count'>;
    readonly activity: ChannelActivity;
    readonly clock: Clock;
    readonly metrics: Metrics;
  },
): Promise<ProviderHealth> {
  const { keyValues, activity, clock, metrics } = deps;
  const { name: provider, kind } = parts.settings;
  const now = clock.now();
  const [byWebhook, byPoll, bySignals, polled, signalsPolled, cursor, read, rechecks] = await Promise.all([
    activity.of(provider, 'webhook'),
    activity.of(provider, 'poll'),
    activity.of(provider, 'signals'),
    readPollStatus(pollName(provider), keyValues),
    readPollStatus(signalsPollName(provider), keyValues),
    keyValues.get(pollName(provider)),
    keyValues.get(lastReadName(provider)).then(parseLastRead),
    deps.rechecks.count(provider),
  ]);
  const subscriptions = await Promise.all(
    subscriptionsOf({ ...parts, provider }).map(async ({ name }) => {
      const renewal = await readRenewal(name, keyValues);
      return { name, renewedAt: renewal?.renewedAt ?? null, expiresAt: renewal?.expiresAt ?? null };
    }),
  );
  const pause = toPauseView(parts.pause(), now);
  metrics.gauge('scopemesh_provider_paused_seconds', pause?.sinceSeconds ?? 0, { provider });
  metrics.gauge('scopemesh_rechecks', rechecks, { provider });
  const ends = subscriptions.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [Date.parse(expiresAt)]));
  if (ends.length > 0) {
    const seconds = (Math.min(...ends) - now) / 1000;
    metrics.gauge('scopemesh_subscription_expires_seconds', seconds, { provider });
  }
  return {
    provider,
    kind,
    webhook: parts.source === undefined ? null : spoken(byWebhook),
    poll:
      parts.poll === undefined
        ? null
        : {
            ...spoken(byPoll),
            lastPollAt: polled?.at ?? null,
            cursor: shortened(cursor),
            missedSignals: polled?.missedSignals ?? 0,
          },
    signals:
      parts.settings.ssf === undefined
        ? null
        : {
            ...spoken(bySignals),
            delivery: parts.settings.ssf.delivery,
            lastPollAt: signalsPolled?.at ?? null,
            isSilent: bySignals !== undefined && isSilent(bySignals, now),
          },
    subscriptions,
    directory: {
      readAt: read?.at ?? null,
      ageSeconds: read === undefined ? null : (now - Date.parse(read.at)) / 1000,
      clients: read?.clients ?? null,
      requests: read?.requests ?? null,
    },
    pause,
    rechecks,
  };
}

function toPauseView(pause: Pause | undefined, now: number): ProviderHealth['pause'] {
  if (pause === undefined) return null;
  const seconds = (ms: number) => Math.max(0, ms) / 1000;
  return {
    why: pause.why,
    sinceSeconds: seconds(now - pause.since),
    remainingSeconds: seconds(pause.until - now),
  };
}

function spoken(hearing: Activity | undefined): { lastEventAt: string | null; lagSeconds: number | null } {
  const lagMs = hearing?.lagMs;
  return {
    lastEventAt: hearing?.lastEventAt ?? null,
    lagSeconds: lagMs === undefined ? null : lagMs / 1000,
  };
}

function shortened(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  return cursor.length <= CURSOR_LENGTH ? cursor : `${cursor.slice(0, CURSOR_LENGTH)}…`;
}

/** The permissions that this configuration needs: without `groups:`, those that only groups need are left out. */
export function accessNeeded(
  checks: readonly AccessCheck[],
  config: Pick<Config, 'groups'>,
): readonly AccessCheck[] {
  return checks.filter(({ forGroupsOnly }) => forGroupsOnly !== true || config.groups.length > 0);
}
