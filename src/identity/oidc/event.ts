import { z } from 'zod';
import { clientKey, providerKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Cause, Evidence, Trigger } from '../../model/trigger.js';
import { invalidEvent, parseEventBody } from '../event-body.js';
import type { IdentityEvent } from '../source.js';

export interface EventContext {
  readonly provider: string;
  readonly id: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  /** Of the attempt that delivered it; stands in for an event without an instant of its own. */
  readonly timestampMs: number;
  readonly toleranceMs: number;
}

type OrderKind = RevocationOrder['kind'];

/** What each type says, beyond "read this client again". Types not listed concern scopemesh in nothing. */
const TYPES: ReadonlyMap<string, OrderKind | undefined> = new Map<string, OrderKind | undefined>([
  ['client.created', undefined],
  ['client.updated', undefined],
  ['client.deleted', 'client-deleted'],
  ['client.disabled', 'client-disabled'],
  ['client.secret-compromised', 'secret-compromised'],
  ['session.revoked', 'session-revoked'],
]);

const name = z.string().min(1).max(255);
const envelope = z.object({ type: z.string().min(1).max(255), timestamp: z.string().max(64).optional() });
const clientEvent = z.object({ data: z.object({ clientId: name }) });
const groupEvent = z.object({ data: z.object({ group: z.string().min(1).max(512) }) });
const personEvent = z.object({ data: z.object({ subject: name }) });
const sessionEvent = z.object({ data: z.object({ subject: name, clientId: name.optional() }) });

/**
 * The event of an authentic body. A type that scopemesh does not know is accepted with no trigger, so that a
 * sender may share one endpoint. Throws RejectedEvent 400 for a body that is not what its type asks for.
 */
export function parseEvent(body: Uint8Array, context: EventContext): IdentityEvent {
  const json = parseEventBody(body);
  const { type, timestamp } = parse(envelope, json);
  const { provider } = context;
  const cause: Cause = { kind: 'webhook', eventId: context.id, receivedAt: context.receivedAt };
  if (type === 'group.updated' || type === 'person.updated') {
    const evidence: Evidence =
      type === 'group.updated'
        ? { provider, groups: [parse(groupEvent, json).data.group] }
        : { provider, people: [parse(personEvent, json).data.subject] };
    const trigger = { key: providerKey(provider), cause, urgent: true, members: true, evidence: [evidence] };
    return { id: context.id, occurredAt: toInstant(timestamp, context), triggers: [trigger], orders: [] };
  }
  if (!TYPES.has(type)) return { id: context.id, triggers: [], orders: [] };
  const at = toInstant(timestamp, context);
  const order = TYPES.get(type);
  const event = { id: context.id, occurredAt: at };
  if (order === 'session-revoked') {
    const { subject, clientId } = parse(sessionEvent, json).data;
    const named = clientId === undefined ? {} : { clientId };
    // A session is no part of the directory: there is nothing to re-read, only the order to carry out.
    const triggers =
      clientId === undefined ? [] : [toTrigger(context.provider, clientId, cause, true, false)];
    return {
      ...event,
      triggers,
      orders: [{ kind: order, provider: context.provider, ...named, subject, at, cause }],
    };
  }
  const { clientId } = parse(clientEvent, json).data;
  // All but a creation may take something away, an update too: it must not wait behind grants.
  const urgent = type !== 'client.created';
  const orders =
    order === undefined ? [] : [{ kind: order, provider: context.provider, clientId, at, cause }];
  return {
    ...event,
    triggers: [toTrigger(context.provider, clientId, cause, urgent, true)],
    orders,
  };
}

/**
 * The signed event names its client, so whatever the re-read finds missing from that client was removed on
 * purpose: it is evidence, also for an update.
 */
function toTrigger(
  provider: string,
  clientId: string,
  cause: Cause,
  urgent: boolean,
  evident: boolean,
): Trigger {
  return {
    key: clientKey(provider, clientId),
    cause,
    ...(urgent ? { urgent } : {}),
    ...(evident ? { evidence: [{ provider, clients: [clientId] }] } : {}),
  };
}

// RFC 3339, with its offset: without one the instant would depend on where scopemesh runs.
const INSTANT = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/;

function toInstant(timestamp: string | undefined, context: EventContext): string {
  if (timestamp === undefined) return new Date(context.timestampMs).toISOString();
  const ms = INSTANT.test(timestamp) ? Date.parse(timestamp) : Number.NaN;
  // An order voids what is older than its instant: one dated ahead would void what is yet to be issued.
  if (Number.isNaN(ms) || ms > context.timestampMs + context.toleranceMs) {
    throw invalidEvent('timestamp: is no instant, or lies in the future');
  }
  return new Date(ms).toISOString();
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalidEvent(`event: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong shape'}`);
}
