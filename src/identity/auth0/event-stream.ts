import { z } from 'zod';
import { providerKey } from '../../model/key.js';
import type { Cause } from '../../model/trigger.js';
import type { HttpAnswer } from '../http-client.js';
import type { IdentityEvent } from '../source.js';
import type { ManagementApi } from './management-api.js';

/** The tenant's event stream, read from an offset to its end (auth0.com/docs/customize/events/consume-events-with-events-api). */
export interface EventStream {
  /**
   * What came since the offset (undefined: from now on), and the offset to go on from. `gap`: the offset is too old
   * (410), so that events may have been lost.
   */
  read(
    offset: string | undefined,
    receivedAt: string,
    signal: AbortSignal,
  ): Promise<{ readonly events: readonly IdentityEvent[]; readonly offset?: string; readonly gap: boolean }>;
}

/** Who belongs to a role, and who may sign in. Clients and their grants have no such events. */
const TYPES: readonly string[] = [
  'user.updated',
  'user.deleted',
  'group.member.added',
  'group.member.deleted',
];

/** Auth0 sends what is there at once, then only heartbeats. */
const QUIET_MS = 500;

/** A CloudEvent; what it is about may be told in another form than is known here. */
const MESSAGE = z.object({
  id: z.string().min(1).max(200),
  type: z.string(),
  time: z.iso.datetime({ offset: true }),
  data: z.unknown(),
});
const USER = z.object({ object: z.object({ user_id: z.string(), blocked: z.boolean().optional() }) });

/** What is sent from the offset on, until it is quiet. */
export function askEvents(
  api: ManagementApi,
  offset: string | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const headers = { accept: 'text/event-stream' };
  return api.send(
    ['events'],
    offset === undefined ? {} : { from: offset },
    { headers, quietMs: QUIET_MS },
    signal,
  );
}

export function createEventStream(api: ManagementApi): EventStream {
  return {
    async read(offset, receivedAt, signal) {
      const answer = await askEvents(api, offset, signal);
      if (answer.status === 410) return { events: [], gap: true };
      if (answer.status !== 200) throw api.refusal(answer, ['events']);
      const messages = parseMessages(new TextDecoder().decode(answer.body));
      const latest = messages.findLast(({ id }) => id !== undefined)?.id ?? offset;
      return {
        events: messages.flatMap(({ data }) => toEvent(data, api.provider, receivedAt)),
        ...(latest === undefined ? {} : { offset: latest }),
        gap: false,
      };
    },
  };
}

/** Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html): only whole messages, which an empty line ends. */
function parseMessages(text: string): readonly { readonly id?: string; readonly data: string }[] {
  const blocks = text.replaceAll(/\r\n?/g, '\n').split('\n\n').slice(0, -1);
  return blocks.map((block) => {
    const fields = block.split('\n').flatMap((line) => {
      const [, name, value] = /^(id|data):\s?(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [{ name, value }];
    });
    const id = fields.findLast(({ name }) => name === 'id')?.value;
    const data = fields.filter(({ name }) => name === 'data').map(({ value }) => value);
    return { ...(id === undefined ? {} : { id }), data: data.join('\n') };
  });
}

function toEvent(data: string, provider: string, receivedAt: string): readonly IdentityEvent[] {
  const message = MESSAGE.safeParse(unwrap(data));
  // Heartbeats, and events of other types.
  if (!message.success || !TYPES.includes(message.data.type)) return [];
  const { id, type, time } = message.data;
  const user = USER.safeParse(message.data.data).data?.object;
  const subject = user?.user_id;
  const cause: Cause = { kind: 'poll', eventId: id, receivedAt };
  const evidence = subject === undefined ? {} : { evidence: [{ provider, people: [subject] }] };
  const isOut = type === 'user.deleted' || user?.blocked === true;
  return [
    {
      id: `stream/${id}`,
      occurredAt: new Date(time).toISOString(),
      triggers: [{ key: providerKey(provider), cause, members: true, urgent: true, ...evidence }],
      orders:
        isOut && subject !== undefined
          ? [{ kind: 'session-revoked', provider, subject, at: new Date(time).toISOString(), cause }]
          : [],
    },
  ];
}

/** The CloudEvent, which Auth0's own libraries show inside of an envelope with type and offset. */
function unwrap(data: string): unknown {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && 'event' in value ? value.event : value;
  } catch {
    return undefined;
  }
}
