import type { IdentityEvent } from '../identity/source.js';
import type { Cause } from '../model/cause.js';

/** The events with the trace of the request that delivered them. */
export function tracedEvents(
  events: readonly IdentityEvent[],
  traceparent: string | undefined,
): readonly IdentityEvent[] {
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

/** Version, trace-id, parent-id and flags of a `traceparent` (W3C Trace Context, section 3.2). */
const TRACEPARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?<trace>(?!0{32})[0-9a-f]{32})-(?<parent>(?!0{16})[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;
/** The only flag that version 00 defines. */
const SAMPLED = 1;

/**
 * The trace of a request by its header, in version 00; undefined for a header that is invalid, which the recommendation wants
 * to be ignored. A later version is read by the fields of version 00 (section 4.2).
 */
export function parseTraceparent(header: string | undefined): string | undefined {
  const { version, trace, parent, flags = '', more } = TRACEPARENT.exec(header ?? '')?.groups ?? {};
  if (version === undefined || (version === '00' && more !== undefined)) return undefined;
  return `00-${trace}-${parent}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}
