import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../clock.js';
import { isCheckpointEvent } from '../decisions/checkpoint.js';
import { parseJson } from '../decisions/envelope.js';
import type { DecisionLog, ReadOptions } from '../decisions/log.js';
import { messageOf } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import { fieldOf } from '../model/field-of.js';
import type { Runtime } from '../runtime.js';
import { safeParse } from '../safe-parse.js';
import { type ApiAccess, type CallerWatch, onlyCallers, principalOf } from './api-access.js';

export interface DecisionStreamDeps extends Runtime {
  /** The embedded log; undefined if the decisions are on a topic, which has consumers of its own. */
  readonly log: (() => Promise<DecisionLog>) | undefined;
  readonly access: ApiAccess;
}

/** Of one principal, so that nobody can take the streams of others. */
const MAX_STREAMS = 8;
/** How long a consumer may leave its buffer full. */
const SLOW_MS = 30_000;
/** A comment this often shows both ends that the connection lives. */
const HEARTBEAT_MS = 15_000;
const ID = z.string().regex(/^[\x21-\x7e]{1,128}$/);

/**
 * `GET /api/decisions/stream`: the events of the log as server-sent events, first those after `Last-Event-ID` or `?after=` (or
 * all, with `?from=start`), then new ones. Reads from the log only as fast as the consumer takes them.
 */
export function addDecisionStream(server: FastifyInstance, deps: DecisionStreamDeps): void {
  const { access, logger, metrics } = deps;
  const end = new AbortController();
  const open: string[] = [];
  // A stream never ends by itself, and the server waits for its answers.
  server.addHook('preClose', async () => end.abort());
  server.get('/api/decisions/stream', { preHandler: onlyCallers(access) }, async (request, reply) => {
    if (deps.log === undefined)
      return reply.code(404).send({
        error: 'the decisions of this scopemesh are on a Kafka topic (decisions.topic); read them there',
      });
    const principal = principalOf(access, request);
    if (open.filter((each) => each === principal).length >= MAX_STREAMS)
      return reply
        .code(429)
        .header('retry-after', '10')
        .send({ error: `you have ${MAX_STREAMS} streams already; close one` });
    open.push(principal);
    let watch: CallerWatch | undefined;
    metrics.gauge('scopemesh_decision_streams', open.length);
    try {
      const log = await deps.log();
      const options = await optionsOf(request, log);
      if ('status' in options) return reply.code(options.status).send({ error: options.error });
      watch = access.watch(request);
      await send(log, options, reply, [end.signal, watch.ended], deps);
      return reply;
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'a stream of decisions ended with an error');
      if (!reply.sent) return reply.code(503).send({ error: messageOf(error) });
      reply.raw.destroy();
      return reply;
    } finally {
      watch?.close();
      open.splice(open.indexOf(principal), 1);
      metrics.gauge('scopemesh_decision_streams', open.length);
    }
  });
}

async function optionsOf(
  request: FastifyRequest,
  log: DecisionLog,
): Promise<ReadOptions | { readonly status: 400 | 410; readonly error: string }> {
  const from = fieldOf(request.query, 'from') ?? 'end';
  if (from !== 'start' && from !== 'end')
    return {
      status: 400,
      error: 'from is start or end; to go on after an event, send after=ID or Last-Event-ID',
    };
  // A browser connects again with the same address, and the header is newer.
  const last = request.headers['last-event-id'] ?? fieldOf(request.query, 'after');
  if (last === undefined) {
    const newest = from === 'end' ? await log.newestId?.() : undefined;
    return { from: 'start', follow: true, ...(newest === undefined ? {} : { after: newest }) };
  }
  const id = safeParse(ID, last).data;
  if (id === undefined) return { status: 400, error: 'Last-Event-ID, or after, is not the ID of an event' };
  if (!(await log.contains([id], '')).has(id))
    return {
      status: 410,
      error: 'the log has no event with this ID; it may be older than decisions.keep',
    };
  return { from: 'start', after: id, follow: true };
}

async function send(
  log: DecisionLog,
  options: ReadOptions,
  reply: FastifyReply,
  closing: readonly AbortSignal[],
  deps: DecisionStreamDeps,
): Promise<void> {
  const { raw } = reply;
  reply.hijack();
  // Its `close` may have passed already, while the log was opened.
  if (raw.destroyed) return;
  const gone = new AbortController();
  raw.once('close', () => gone.abort());
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    // A connection that is left over would keep the server from closing.
    connection: 'close',
  });
  // A consumer that is interrupted before its first event goes on from here.
  raw.write(options.after === undefined ? ': scopemesh\n\n' : `id: ${options.after}\n\n`);
  await withLinkedSignal([gone.signal, ...closing], async (stop) => {
    const beating = beat(raw, deps.clock, stop);
    try {
      for await (const text of log.readEvents(options, stop)) {
        if (raw.write(toMessage(text)) || stop.aborted) continue;
        if (await drained(raw, stop)) continue;
        deps.metrics.count('scopemesh_decision_streams_dropped_total');
        deps.logger.warn({}, 'a consumer of the decision stream was too slow; its connection is closed');
        raw.destroy();
        return;
      }
      raw.end();
    } finally {
      gone.abort();
      await beating;
    }
  });
}

function toMessage(text: string): string {
  const event = parseJson(text);
  const type = isCheckpointEvent(event) ? 'checkpoint' : 'decision';
  return `id: ${String(fieldOf(event, 'id'))}\nevent: ${type}\ndata: ${text}\n\n`;
}

/** False if the consumer did not take what it has within the time. */
async function drained(raw: ServerResponse, stop: AbortSignal): Promise<boolean> {
  return withLinkedSignal(
    [stop],
    async (either) => {
      await once(raw, 'drain', { signal: either }).catch(() => {});
      return stop.aborted || !either.aborted;
    },
    SLOW_MS,
  );
}

async function beat(raw: ServerResponse, clock: Clock, stop: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, stop);
      // A consumer that does not take its events gets no comments on top.
      if (!raw.writableNeedDrain) raw.write(': \n\n');
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
