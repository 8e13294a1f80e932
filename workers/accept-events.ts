import type { Clock } from '../src/clock.js';
import type { IdentityEvent } from '../src/identity/source.js';
import { clientKey, type Key, providerKey } from '../src/model/key.js';
import type { RevocationOrder } from '../src/model/order.js';
import type { Trigger } from '../src/model/trigger.js';
import type { Metrics } from '../src/observe.js';
import type { Facts } from '../src/queue/facts.js';
import type { Queue } from '../src/queue/queue.js';

/** How long an event's id is remembered; longer than any sender repeats itself. */
const REMEMBER_MS = 7 * 24 * 3600_000;

/**
 * Queues what events say, once for each event id, whether it came by webhook or by poll. Resolves when all is
 * durable; ids are remembered only then, so that a crash between costs a repetition and never an event.
 * Returns how many were new.
 */
export async function acceptEvents(
  provider: string,
  events: readonly IdentityEvent[],
  deps: {
    readonly queue: Pick<Queue, 'add'>;
    readonly facts: Facts;
    readonly metrics: Metrics;
    readonly clock: Clock;
  },
): Promise<number> {
  const scope = `event/${provider}`;
  const fresh: IdentityEvent[] = [];
  for (const event of new Map(events.map((each) => [each.id, each])).values()) {
    // An event that concerns nobody needs no memory: most are logins.
    if (event.triggers.length === 0 && event.orders.length === 0 && event.isProof !== true) continue;
    if (await deps.facts.has(scope, event.id))
      deps.metrics.count('scopemesh_events_total', { provider, result: 'duplicate' });
    else fresh.push(event);
  }
  if (fresh.length === 0) return 0;
  await deps.queue.add(fresh.flatMap((event) => [...event.triggers, ...event.orders.flatMap(toTrigger)]));
  await deps.facts.remember(
    scope,
    fresh.map(({ id }) => id),
    REMEMBER_MS,
  );
  deps.metrics.count('scopemesh_events_total', { provider, result: 'accepted' }, fresh.length);
  return fresh.length;
}

/** An order travels in a trigger of the client that it names; that of a person's session, of the provider. */
function toTrigger(order: RevocationOrder): readonly Trigger[] {
  const key: Key | undefined =
    order.clientId !== undefined
      ? clientKey(order.provider, order.clientId)
      : order.internalId !== undefined
        ? { kind: 'client', provider: order.provider, by: 'internalId', value: order.internalId }
        : order.subject !== undefined
          ? providerKey(order.provider)
          : undefined;
  return key === undefined ? [] : [{ key, cause: order.cause, urgent: true, order }];
}
