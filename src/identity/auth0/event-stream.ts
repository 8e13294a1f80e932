import { z } from 'zod';
import { RejectedEvent } from '../../errors.js';
import type { Cause } from '../../model/cause.js';
import { jsonIn } from '../../model/json-in.js';
import { safeParse } from '../../safe-parse.js';
import type { Query } from '../api-client.js';
import { membersRead, sessionOrder } from '../effects.js';
import { invalidEvent } from '../event-body.js';
import type { HttpAnswer } from '../http-client.js';
import type { IdentityEvent } from '../source.js';
import type { ManagementApi } from './management-api.js';

/** The start of a read: after an offset from the stream, or, until the stream gave one, a time. */
type StreamPosition = { readonly offset: string } | { readonly sinceMs: number };

/** Members of roles, and who may sign in. Clients and their grants have no such events. */
const TYPES: readonly string[] = [
  'user.updated',
  'user.deleted',
  'group.member.added',
  'group.member.deleted',
];

/** Auth0 sends existing events at once, and then only heartbeats, some of which carry an offset. */
const QUIET_MS = 500;

/** A CloudEvent. The form of `data` may be unknown. */
const MESSAGE = z.object({
  id: z.string().min(1).max(200),
  type: z.string(),
  time: z.iso.datetime({ offset: true }),
  data: z.unknown(),
});
const USER = z.object({ object: z.object({ user_id: z.string(), blocked: z.boolean().optional() }) });

/** Requests the stream from a position, or from now on, until it is quiet. */
export function requestEvents(
  api: ManagementApi,
  position: StreamPosition | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const headers = { accept: 'text/event-stream' };
  return api.send(['events'], queryOf(position), { headers, quietMs: QUIET_MS }, signal);
}

function queryOf(position: StreamPosition | undefined): Query {
  if (position === undefined) return {};
  // A time may have at most 20 characters: no fractions of a second.
  if ('sinceMs' in position)
    return { from_timestamp: `${new Date(position.sinceMs).toISOString().slice(0, 19)}Z` };
  return { from: position.offset };
}

/**
 * The events of the tenant's stream since the position, and the offset of the next read
 * (auth0.com/docs/customize/events/consume-events-with-events-api). A quiet stream gives no offset before its next heartbeat.
 * `rejected` are events in an unknown form. `gap`: the position is too old (410) or invalid (400), or an event could not be
 * parsed, so events may be lost.
 */
export async function readEvents(
  api: ManagementApi,
  position: StreamPosition,
  receivedAt: string,
  signal: AbortSignal,
) {
  const offset = 'offset' in position ? position.offset : undefined;
  const events: IdentityEvent[] = [];
  const rejected: RejectedEvent[] = [];
  const answer = await requestEvents(api, position, signal);
  if (answer.status === 410 || (answer.status === 400 && offset !== undefined))
    return { events, rejected, gap: true };
  if (answer.status !== 200) throw api.refusal(answer, ['events']);
  const messages = parseMessages(new TextDecoder().decode(answer.body));
  for (const message of messages) {
    const event = toEvent(message, api.provider, receivedAt);
    if (event instanceof RejectedEvent) rejected.push(event);
    else if (event !== undefined) events.push(event);
  }
  if (messages.some(({ data }) => isPositionRefused(data))) return { events, rejected, gap: true };
  const latest = messages.findLast(({ id }) => id !== undefined)?.id ?? offset;
  return { events, rejected, offset: latest, gap: rejected.length > 0 };
}

/** Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html). Only messages that an empty line ends. */
function parseMessages(text: string) {
  const blocks = text.replaceAll(/\r\n?/g, '\n').split('\n\n').slice(0, -1);
  return blocks.map((block) => {
    const fields = block.split('\n').flatMap((line) => {
      const [, name, value] = /^(id|event|data):\s?(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [{ name, value }];
    });
    const id = fields.findLast(({ name }) => name === 'id')?.value;
    const type = fields.findLast(({ name }) => name === 'event')?.value;
    const lines = fields.filter(({ name }) => name === 'data').map(({ value }) => value);
    return { id, type, data: lines.join('\n') };
  });
}

/** The stream may refuse an offset in a last message too. */
const REFUSAL = z.object({ error: z.object({ code: z.enum(['invalid_cursor', 'cursor_expired']) }) });

function isPositionRefused(text: string): boolean {
  return safeParse(REFUSAL, jsonIn(text)).success;
}

/** Undefined for heartbeats and for events of other types. */
function toEvent(
  { id: offset, type: name = '', data }: ReturnType<typeof parseMessages>[number],
  provider: string,
  receivedAt: string,
): IdentityEvent | RejectedEvent | undefined {
  const message = safeParse(MESSAGE, unwrap(data));
  if (!message.success) return TYPES.includes(name) ? invalidMessage(name, offset) : undefined;
  if (!TYPES.includes(message.data.type)) return undefined;
  const { id, type, time } = message.data;
  const user = safeParse(USER, message.data.data).data?.object;
  const subject = user?.user_id;
  const cause: Cause = { kind: 'poll', eventId: id, receivedAt };
  const evidence = subject === undefined ? [] : [{ provider, people: [subject] }];
  const mayNotSignIn = type === 'user.deleted' || user?.blocked === true;
  const at = new Date(time).toISOString();
  return {
    id: `stream/${id}`,
    occurredAt: at,
    triggers: [membersRead(provider, cause, { evidence })],
    orders: mayNotSignIn && subject !== undefined ? [sessionOrder(provider, subject, at, cause)] : [],
  };
}

function invalidMessage(type: string, offset = 'none'): RejectedEvent {
  return invalidEvent(
    `the ${type} event of the event stream at offset ${JSON.stringify(offset.slice(0, 200))} does not have the documented form`,
  );
}

/** The CloudEvent. Auth0's own libraries show it in an envelope with type and offset. */
function unwrap(text: string): unknown {
  const value = jsonIn(text);
  return typeof value === 'object' && value !== null && 'event' in value ? value.event : value;
}
