import type { IdentityEvent } from '../identity/source.js';
import type { Cause } from '../model/cause.js';
import { parseTraceparent } from '../model/trace-context.js';

/** The events with the trace of the request that delivered them; a header that is invalid is ignored. */
export function tracedEvents(
  events: readonly IdentityEvent[],
  header: string | undefined,
): readonly IdentityEvent[] {
  const traceparent = parseTraceparent(header);
  if (traceparent === undefined) return events;
  const traced = <T extends { readonly cause: Cause }>(each: T): T => ({
    ...each,
    cause: { ...each.cause, traceparent },
  });
  return events.map((event) => ({
    ...event,
    triggers: event.triggers.map(traced),
    orders: event.orders.map(traced),
  }));
}
