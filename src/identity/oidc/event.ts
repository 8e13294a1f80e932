import { z } from 'zod';
import type { Cause } from '../../model/cause.js';
import { clientKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Evidence } from '../../model/trigger.js';
import { safeParse } from '../../safe-parse.js';
import { clientEvidence, clientOrder, membersRead } from '../effects.js';
import { invalidEvent, parseEventBody } from '../event-body.js';
import type { IdentityEvent } from '../source.js';

/** The largest difference between `webhook-timestamp` and now. */
export const TOLERANCE_MS = 300_000;

export interface EventContext {
  readonly provider: string;
  readonly id: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  /** When the event was sent. It replaces a missing time in the event. */
  readonly timestampMs: number;
}

type OrderKind = RevocationOrder['kind'];

/** The order of each type of client event. Every client event also leads to a read of the client. */
const ORDERS: ReadonlyMap<string, OrderKind | undefined> = new Map<string, OrderKind | undefined>([
  ['client.created', undefined],
  ['client.updated', undefined],
  ['client.deleted', 'client-deleted'],
  ['client.disabled', 'client-disabled'],
  ['client.secret-compromised', 'secret-compromised'],
]);

const name = z.string().min(1).max(255);
const envelope = z.object({ type: z.string().min(1).max(255), timestamp: z.string().max(64).optional() });
const clientEvent = z.object({ data: z.object({ clientId: name }) });
const groupEvent = z.object({ data: z.object({ group: z.string().min(1).max(512) }) });
const personEvent = z.object({ data: z.object({ subject: name }) });
const sessionEvent = z.object({ data: z.object({ subject: name, clientId: name.optional() }) });

/**
 * The event of an authentic body. An unknown type is accepted without a trigger, so that a sender may use one endpoint for
 * everything. Throws RejectedEvent 400 for a body that does not fit its type.
 */
export function parseEvent(body: Uint8Array, context: EventContext): IdentityEvent {
  const json = parseEventBody(body);
  const { type, timestamp } = parse(envelope, json);
  const { provider, id } = context;
  const cause: Cause = { kind: 'webhook', eventId: id, receivedAt: context.receivedAt };
  const event = { id, triggers: [], orders: [] };
  if (type === 'group.updated' || type === 'person.updated') {
    const evidence: Evidence =
      type === 'group.updated'
        ? { provider, groups: [parse(groupEvent, json).data.group] }
        : { provider, people: [parse(personEvent, json).data.subject] };
    const trigger = membersRead(provider, cause, { evidence: [evidence] });
    return { ...event, occurredAt: toInstant(timestamp, context), triggers: [trigger] };
  }
  if (type === 'session.revoked') {
    const at = toInstant(timestamp, context);
    const { subject, clientId } = parse(sessionEvent, json).data;
    const order = { ...clientOrder('session-revoked', provider, { clientId }, at, cause), subject };
    // A session is not in the directory, so there is no evidence about what a read finds.
    const triggers =
      clientId === undefined ? [] : [{ key: clientKey(provider, clientId), cause, urgent: true }];
    return { ...event, occurredAt: at, triggers, orders: [order] };
  }
  if (!ORDERS.has(type)) return event;
  const at = toInstant(timestamp, context);
  const kind = ORDERS.get(type);
  const { clientId } = parse(clientEvent, json).data;
  // Everything except a creation may take something away, so it must not wait behind grants.
  const urgent = type === 'client.created' ? {} : { urgent: true };
  const evidence = [clientEvidence(provider, { clientId })];
  return {
    ...event,
    occurredAt: at,
    triggers: [{ key: clientKey(provider, clientId), cause, ...urgent, evidence }],
    orders: kind === undefined ? [] : [clientOrder(kind, provider, { clientId }, at, cause)],
  };
}

// RFC 3339 with an offset. Without it the time would depend on where scopemesh runs.
const INSTANT = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/;

function toInstant(timestamp: string | undefined, context: EventContext): string {
  if (timestamp === undefined) return new Date(context.timestampMs).toISOString();
  const ms = INSTANT.test(timestamp) ? Date.parse(timestamp) : Number.NaN;
  // An order voids what is older than its time. A time in the future would void what is not issued yet.
  if (Number.isNaN(ms) || ms > context.timestampMs + TOLERANCE_MS) {
    throw invalidEvent('timestamp: is not a valid time, or is in the future');
  }
  return new Date(ms).toISOString();
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = safeParse(schema, json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue?.path.join('.') ?? '';
  throw invalidEvent(`event: ${at === '' ? '' : `${at}: `}${issue?.message ?? 'wrong form'}`);
}
