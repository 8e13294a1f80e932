import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import type { IdentityEvent } from '../identity/source.js';
import { clientKey, type Key, providerKey } from '../model/key.js';
import { issuedUntil, type RevocationOrder } from '../model/order.js';
import { sessionsOfPerson, sessionsOfProvider } from '../model/session-names.js';
import type { Trigger } from '../model/trigger.js';
import type { Logger, Metrics } from '../observe.js';
import type { Inbox } from '../queue/inbox.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { SessionStore } from '../queue/session-store.js';
import type { Channel, ChannelActivity } from './channel-activity.js';
import { toRechecks } from './recheck.js';

/** How long an event ID is remembered; longer than any sender repeats an event. */
const REMEMBER_MS = 7 * 24 * 3600_000;
/** How long it is remembered that the webhook delivered an event after the poll. */
const REMEMBER_LATE_MS = 3600_000;

export interface AcceptDeps {
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly keyValues: Pick<KeyValueStore, 'remember'>;
  readonly activity: Pick<ChannelActivity, 'note'>;
  /** Of the console, which an order ends. */
  readonly sessions?: Pick<SessionStore, 'endNamed'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/**
 * Queues what the events ask for, and rechecks of it. Each event ID is accepted once, by webhook or by poll. Resolves when
 * everything is durable. Returns the new events.
 */
export async function acceptEvents(
  provider: string,
  events: readonly IdentityEvent[],
  channel: Channel,
  deps: AcceptDeps,
): Promise<readonly IdentityEvent[]> {
  const { inbox, keyValues, activity, sessions, logger, metrics, clock } = deps;
  const now = clock.now();
  // Events that concern no client are not remembered: most are logins.
  const relevant = [...new Map(events.map((each) => [each.id, each])).values()].filter(isRelevant);
  const incoming = relevant.map((event) => ({
    id: event.id,
    triggers: [...event.triggers, ...event.orders.flatMap(toTrigger)],
    rechecks: toRechecks([event], now),
  }));
  // Only a measure of the channel: no event waits for it, and one is accepted although it fails.
  activity.note(provider, channel, events).catch((error: unknown) => {
    const fields = { provider, channel, error: messageOf(error) };
    logger.debug(fields, 'the time of the last event on a channel cannot be noted');
  });
  const accepted = await inbox.accept(provider, incoming, {
    scope: eventScope(provider),
    ttlMs: REMEMBER_MS,
  });
  // A repeated event ends them again: the first time may have failed.
  for (const { orders } of relevant)
    for (const order of orders)
      if (order.kind === 'session-revoked' && !isOfClient(order))
        for (const name of sessionsOf(order)) await sessions?.endNamed(name, issuedUntil(order));
  const fresh = relevant.filter(({ id }) => accepted.has(id));
  const known = relevant.filter(({ id }) => !accepted.has(id)).map(({ id }) => id);
  const count = (result: string, times: number) => {
    if (times > 0) metrics.count('scopemesh_events_total', { provider, result }, times);
  };
  // An event counts once. If it is known, a new part of it is no second event.
  const isNew = new Map<string, boolean>();
  for (const { id, partOf } of relevant)
    isNew.set(partOf ?? id, accepted.has(id) && isNew.get(partOf ?? id) !== false);
  const newEvents = [...isNew.values()].filter(Boolean).length;
  count('duplicate', isNew.size - newEvents);
  count('accepted', newEvents);
  if (known.length > 0 && channel === 'webhook')
    await keyValues.remember(lateScope(provider), known, REMEMBER_LATE_MS);
  return fresh;
}

/** Whether the order is about the sessions of a client alone, and so of no person. */
function isOfClient({ subject, clientId, internalId }: RevocationOrder): boolean {
  return subject === undefined && (clientId ?? internalId) !== undefined;
}

/** The names of the sessions of the console that the order ends: of its person, or of all at the provider. */
function sessionsOf({ provider, subject, account }: RevocationOrder): readonly string[] {
  const person = [subject, account].filter((name) => name !== undefined);
  return person.length === 0
    ? [sessionsOfProvider(provider)]
    : person.map((name) => sessionsOfPerson(provider, name));
}

/** Whether anything follows from the event. */
export function isRelevant({ triggers, orders, isProof }: IdentityEvent): boolean {
  return triggers.length > 0 || orders.length > 0 || isProof === true;
}

/** The scope in which the event IDs of a provider are remembered. */
export function eventScope(provider: string): string {
  return `event/${provider}`;
}

/** The scope of the events that the webhook delivered after the poll. */
export function lateScope(provider: string): string {
  return `late/${provider}`;
}

/** An order travels in a trigger: of the client that it names, or, for a session, of the provider. */
function toTrigger(order: RevocationOrder): readonly Trigger[] {
  const key = keyOf(order);
  return key === undefined ? [] : [{ key, cause: order.cause, urgent: true, order }];
}

function keyOf({ kind, provider, clientId, internalId }: RevocationOrder): Key | undefined {
  if (kind === 'session-revoked') return providerKey(provider);
  if (clientId !== undefined) return clientKey(provider, clientId);
  return internalId === undefined
    ? undefined
    : { kind: 'client', provider, by: 'internalId', value: internalId };
}
