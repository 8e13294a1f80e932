import type { Clock } from '../clock.js';
import type { IdentityEvent } from '../identity/source.js';
import { clientKey, type Key, providerKey } from '../model/key.js';
import type { RevocationOrder } from '../model/order.js';
import type { Trigger } from '../model/trigger.js';
import type { Metrics } from '../observe.js';
import type { Inbox } from '../queue/inbox.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Channel, ChannelActivity } from './channel-activity.js';
import { toRechecks } from './recheck.js';

/** How long an event's id is remembered; longer than any sender repeats itself. */
const REMEMBER_MS = 7 * 24 * 3600_000;
/** How long it is remembered that the webhook brought what the poll had brought before. */
const REMEMBER_LATE_MS = 3600_000;

export interface AcceptDeps {
  readonly inbox: Inbox;
  readonly keyValues: Pick<KeyValueStore, 'remember'>;
  readonly activity: Pick<ChannelActivity, 'note'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/**
 * Takes in what events say, once for each event id, whether it came by webhook or by poll, and that it is looked at
 * again. Resolves when all is durable. Returns the events that were new.
 */
export async function acceptEvents(
  provider: string,
  events: readonly IdentityEvent[],
  channel: Channel,
  deps: AcceptDeps,
): Promise<readonly IdentityEvent[]> {
  const { inbox, keyValues, activity, metrics, clock } = deps;
  const now = clock.now();
  // An event that concerns nobody needs no memory: most are logins.
  const ours = [...new Map(events.map((each) => [each.id, each])).values()].filter(
    ({ triggers, orders, isProof }) => triggers.length > 0 || orders.length > 0 || isProof === true,
  );
  const incoming = ours.map((event) => ({
    id: event.id,
    triggers: [...event.triggers, ...event.orders.flatMap(toTrigger)],
    rechecks: toRechecks([event], now),
  }));
  // In one turn, so that the store makes both durable at once.
  const [accepted] = await Promise.all([
    inbox.accept(provider, incoming, { scope: eventScope(provider), ttlMs: REMEMBER_MS }),
    activity.note(provider, channel, events),
  ]);
  const fresh = ours.filter(({ id }) => accepted.has(id));
  const known = ours.filter(({ id }) => !accepted.has(id)).map(({ id }) => id);
  const count = (result: string, times: number) => {
    if (times > 0) metrics.count('scopemesh_events_total', { provider, result }, times);
  };
  count('duplicate', known.length);
  count('accepted', fresh.length);
  if (known.length > 0 && channel === 'webhook')
    await keyValues.remember(lateScope(provider), known, REMEMBER_LATE_MS);
  return fresh;
}

/** Under which the ids of a provider's events are remembered. */
export function eventScope(provider: string): string {
  return `event/${provider}`;
}

/** Under which is remembered what the webhook brought although it was known: a poll had been faster. */
export function lateScope(provider: string): string {
  return `late/${provider}`;
}

/** An order travels in a trigger of the client that it names; that of a session, of the provider of the people. */
function toTrigger(order: RevocationOrder): readonly Trigger[] {
  const key: Key | undefined =
    order.kind === 'session-revoked'
      ? providerKey(order.provider)
      : order.clientId !== undefined
        ? clientKey(order.provider, order.clientId)
        : order.internalId !== undefined
          ? { kind: 'client', provider: order.provider, by: 'internalId', value: order.internalId }
          : undefined;
  return key === undefined ? [] : [{ key, cause: order.cause, urgent: true, order }];
}
