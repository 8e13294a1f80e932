import { z } from 'zod';
import { RejectedEvent } from '../../errors.js';
import { providerKey } from '../../model/key.js';
import type { Cause } from '../../model/trigger.js';
import type { HttpAnswer } from '../http-client.js';
import type { IdentityEvent } from '../source.js';
import type { ManagementApi, Query } from './management-api.js';

/** Where a read begins: after an offset that the stream gave, or, while it has given none, with an instant. */
export type StreamPlace = { readonly offset: string } | { readonly sinceMs: number };

/** The tenant's event stream, read from a place to its end (auth0.com/docs/customize/events/consume-events-with-events-api). */
export interface EventStream {
  /**
   * What came since, and the offset to go on from, where one was given: a quiet stream gives none before its next
   * heartbeat. `gap`: the place is too old (410) or worth nothing (400), or an event could not be read, so that events may
   * have been lost.
   */
  read(place: StreamPlace, receivedAt: string, signal: AbortSignal): Promise<Streamed>;
}

export interface Streamed {
  readonly events: readonly IdentityEvent[];
  /** Events that are in another form than is known here. */
  readonly rejected: readonly RejectedEvent[];
  readonly offset?: string;
  readonly gap: boolean;
}

/** Who belongs to a role, and who may sign in. Clients and their grants have no such events. */
const TYPES: readonly string[] = [
  'user.updated',
  'user.deleted',
  'group.member.added',
  'group.member.deleted',
];

/** Auth0 sends what is there at once, then only heartbeats, some of which bring an offset. */
const QUIET_MS = 500;

/** A CloudEvent; what it is about may be told in another form than is known here. */
const MESSAGE = z.object({
  id: z.string().min(1).max(200),
  type: z.string(),
  time: z.iso.datetime({ offset: true }),
  data: z.unknown(),
});
const USER = z.object({ object: z.object({ user_id: z.string(), blocked: z.boolean().optional() }) });

/** What is sent from a place on, until it is quiet; from now on without one. */
export function askEvents(
  api: ManagementApi,
  place: StreamPlace | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const headers = { accept: 'text/event-stream' };
  return api.send(['events'], queryOf(place), { headers, quietMs: QUIET_MS }, signal);
}

function queryOf(place: StreamPlace | undefined): Query {
  if (place === undefined) return {};
  // An instant may have 20 characters: no fractions of a second.
  if ('sinceMs' in place) return { from_timestamp: `${new Date(place.sinceMs).toISOString().slice(0, 19)}Z` };
  return { from: place.offset };
}

export function createEventStream(api: ManagementApi): EventStream {
  return {
    async read(place, receivedAt, signal) {
      const offset = 'offset' in place ? place.offset : undefined;
      const answer = await askEvents(api, place, signal);
      if (answer.status === 410 || (answer.status === 400 && offset !== undefined))
        return { events: [], rejected: [], gap: true };
      if (answer.status !== 200) throw api.refusal(answer, ['events']);
      const messages = parseMessages(new TextDecoder().decode(answer.body));
      const events: IdentityEvent[] = [];
      const rejected: RejectedEvent[] = [];
      for (const message of messages) {
        const told = toEvent(message, api.provider, receivedAt);
        if (told instanceof RejectedEvent) rejected.push(told);
        else if (told !== undefined) events.push(told);
      }
      if (messages.some(({ data }) => isPlaceRefused(data))) return { events, rejected, gap: true };
      const latest = messages.findLast(({ id }) => id !== undefined)?.id ?? offset;
      const gap = rejected.length > 0;
      return { events, rejected, ...(latest === undefined ? {} : { offset: latest }), gap };
    },
  };
}

interface Message {
  readonly id?: string;
  readonly type?: string;
  readonly data: string;
}

/** Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html): only whole messages, which an empty line ends. */
function parseMessages(text: string): readonly Message[] {
  const blocks = text.replaceAll(/\r\n?/g, '\n').split('\n\n').slice(0, -1);
  return blocks.map((block) => {
    const fields = block.split('\n').flatMap((line) => {
      const [, name, value] = /^(id|event|data):\s?(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [{ name, value }];
    });
    const id = fields.findLast(({ name }) => name === 'id')?.value;
    const type = fields.findLast(({ name }) => name === 'event')?.value;
    const data = fields.filter(({ name }) => name === 'data').map(({ value }) => value);
    return {
      ...(id === undefined ? {} : { id }),
      ...(type === undefined ? {} : { type }),
      data: data.join('\n'),
    };
  });
}

/** The stream may also say in a last message that it cannot go on from an offset. */
const REFUSAL = z.object({ error: z.object({ code: z.enum(['invalid_cursor', 'cursor_expired']) }) });

function isPlaceRefused(data: string): boolean {
  return REFUSAL.safeParse(parseData(data)).success;
}

/** Undefined for heartbeats, and for events of other types. */
function toEvent(
  { id: offset, type: name = '', data }: Message,
  provider: string,
  receivedAt: string,
): IdentityEvent | RejectedEvent | undefined {
  const message = MESSAGE.safeParse(unwrap(data));
  if (!message.success) return TYPES.includes(name) ? unreadable(name, offset) : undefined;
  if (!TYPES.includes(message.data.type)) return undefined;
  const { id, type, time } = message.data;
  const user = USER.safeParse(message.data.data).data?.object;
  const subject = user?.user_id;
  const cause: Cause = { kind: 'poll', eventId: id, receivedAt };
  const evidence = subject === undefined ? {} : { evidence: [{ provider, people: [subject] }] };
  const isOut = type === 'user.deleted' || user?.blocked === true;
  return {
    id: `stream/${id}`,
    occurredAt: new Date(time).toISOString(),
    triggers: [{ key: providerKey(provider), cause, members: true, urgent: true, ...evidence }],
    orders:
      isOut && subject !== undefined
        ? [{ kind: 'session-revoked', provider, subject, at: new Date(time).toISOString(), cause }]
        : [],
  };
}

function unreadable(type: string, offset = 'none'): RejectedEvent {
  const message = `the ${type} of the event stream at the offset ${JSON.stringify(offset.slice(0, 200))} has another form than documented`;
  return new RejectedEvent('ERR_EVENT_INVALID', message, 400);
}

/** The CloudEvent, which Auth0's own libraries show inside of an envelope with type and offset. */
function unwrap(data: string): unknown {
  const value = parseData(data);
  return typeof value === 'object' && value !== null && 'event' in value ? value.event : value;
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
