import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isCheckpointEvent } from '../decisions/checkpoint.js';
import { parseJson } from '../decisions/envelope.js';
import { type DecisionFeed, follow } from '../decisions/feed.js';
import { fieldOf } from '../model/field-of.js';
import { safeParse } from '../safe-parse.js';
import { type ApiAccess, onlyCallers } from './api-access.js';
import type { Begun, EventStreams } from './event-streams.js';

interface DecisionStreamDeps {
  /** Of the embedded log, or of the index of the topic; undefined without an index. */
  readonly feed: (() => Promise<DecisionFeed>) | undefined;
  readonly streams: EventStreams;
  readonly access: ApiAccess;
}

export const NO_FEED =
  'the decisions of this scopemesh are on a Kafka topic, and decisions.index is off; read them there';
const ID = z.string().regex(/^[\x21-\x7e]{1,128}$/);

/**
 * `GET /api/decisions/stream`: the events of the log as server-sent events, first those after `Last-Event-ID` or `?after=` (or
 * all, with `?from=start`), then new ones.
 */
export function addDecisionStream(server: FastifyInstance, deps: DecisionStreamDeps): void {
  const { access, feed: openFeed, streams } = deps;
  server.get('/api/decisions/stream', { preHandler: onlyCallers(access) }, async (request, reply) => {
    if (openFeed === undefined) return reply.code(404).send({ error: NO_FEED });
    return streams.serve(request, reply, async (): Promise<Begun> => {
      const feed = await openFeed();
      const start = startOf(request, feed);
      if ('status' in start) return start;
      return {
        // A consumer that is interrupted before its first event goes on from here.
        first: start.id === undefined ? ': scopemesh\n\n' : `id: ${start.id}\n\n`,
        async run({ stop, write }) {
          for await (const { event } of follow(feed, start.after, stop))
            if (!(await write(toMessage(event)))) return;
        },
      };
    });
  });
}

function startOf(
  request: FastifyRequest,
  feed: DecisionFeed,
):
  | { readonly after: number; readonly id: string | undefined }
  | { readonly status: 400 | 410; readonly error: string } {
  const from = fieldOf(request.query, 'from') ?? 'end';
  if (from !== 'start' && from !== 'end')
    return {
      status: 400,
      error: 'from is start or end; to go on after an event, send after=ID or Last-Event-ID',
    };
  // A browser connects again with the same address, and the header is newer.
  const last = request.headers['last-event-id'] ?? fieldOf(request.query, 'after');
  // Somebody else may have put a row before the first number that the log gives.
  const whole = { after: Number.NEGATIVE_INFINITY, id: undefined };
  if (last === undefined) {
    const id = from === 'end' ? feed.newestId() : undefined;
    const after = id === undefined ? undefined : feed.find(id);
    return after === undefined ? whole : { after, id };
  }
  const id = safeParse(ID, last).data;
  if (id === undefined) return { status: 400, error: 'Last-Event-ID, or after, is not the ID of an event' };
  const after = feed.find(id);
  if (after !== undefined) return { after, id };
  return {
    status: 410,
    error: 'the log has no event with this ID; it may be older than decisions.keep',
  };
}

function toMessage(text: string): string {
  const event = parseJson(text);
  const type = isCheckpointEvent(event) ? 'checkpoint' : 'decision';
  return `id: ${String(fieldOf(event, 'id'))}\nevent: ${type}\ndata: ${text}\n\n`;
}
