import type { Clock } from '../src/clock.js';
import type { IdentityEvent } from '../src/identity/source.js';
import { clientKey, type Key, providerKey } from '../src/model/key.js';
import type { RevocationOrder } from '../src/model/order.js';
import type { Trigger } from '../src/model/trigger.js';
import type { Metrics } from '../src/observe.js';
import type { Facts } from '../src/queue/facts.js';
import type { Queue } from '../src/queue/queue.js';
import type { Rechecks } from '../src/queue/rechecks.js';
import type { Channel, Heard } from './heard.js';
import { toRechecks } from './recheck.js';

/** How long an event's id is remembered; longer than any sender repeats itself. */
const REMEMBER_MS = 7 * 24 * 3600_000;
/** How long it is remembered that the webhook brought what the poll had brought before. */
const REMEMBER_LATE_MS = 3600_000;

export interface AcceptDeps {
  readonly queue: Pick<Queue, 'add'>;
  readonly rechecks: Pick<Rechecks, 'put'>;
  readonly facts: Facts;
  readonly heard: Pick<Heard, 'note'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/**
 * Queues what events say, once for each event id, whether it came by webhook or by poll, and that it is looked at
 * again. Resolves when all is durable; ids are remembered only then, so that a crash between costs a repetition and
 * never an event. Returns those that were new.
 */
export async function acceptEvents(
  provider: string,
  events: readonly IdentityEvent[],
  channel: Channel,
  deps: AcceptDeps,
): Promise<readonly IdentityEvent[]> {
  const { queue, rechecks, facts, heard, metrics, clock } = deps;
  const scope = eventScope(provider);
  const fresh: IdentityEvent[] = [];
  const known: string[] = [];
  for (const event of new Map(events.map((each) => [each.id, each])).values()) {
    // An event that concerns nobody needs no memory: most are logins.
    if (event.triggers.length === 0 && event.orders.length === 0 && event.isProof !== true) continue;
    if (await facts.has(scope, event.id)) known.push(event.id);
    else fresh.push(event);
  }
  if (known.length > 0)
    metrics.count('scopemesh_events_total', { provider, result: 'duplicate' }, known.length);
  if (fresh.length > 0) {
    await Promise.all([
      queue.add(fresh.flatMap((event) => [...event.triggers, ...event.orders.flatMap(toTrigger)])),
      rechecks.put(provider, toRechecks(fresh, clock.now())),
    ]);
    metrics.count('scopemesh_events_total', { provider, result: 'accepted' }, fresh.length);
  }
  const ids = fresh.map(({ id }) => id);
  await Promise.all([
    ...(ids.length > 0 ? [facts.remember(scope, ids, REMEMBER_MS)] : []),
    ...(known.length > 0 && channel === 'webhook'
      ? [facts.remember(lateScope(provider), known, REMEMBER_LATE_MS)]
      : []),
    heard.note(provider, channel, events),
  ]);
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
