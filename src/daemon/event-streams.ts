import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { Runtime } from '../runtime.js';
import { type ApiAccess, askerOf } from './api-access.js';

export interface EventStream {
  /** Aborts when the reader has gone, may not read any more, or the daemon stops. */
  readonly stop: AbortSignal;
  /** Resolves when the reader has room again; false if the stream is over. */
  write(text: string): Promise<boolean>;
}

/** What a stream begins with, and what it sends until it is stopped; or why there is none. */
export type Begun =
  | { readonly first: string; run(stream: EventStream): Promise<void> }
  | { readonly status: number; readonly error: string };

export interface EventStreams {
  serve(request: FastifyRequest, reply: FastifyReply, begin: () => Promise<Begun>): Promise<FastifyReply>;
}

/** Of one principal, so that nobody can take the streams of others. */
const MAX_STREAMS = 8;
/** Each one is a connection. */
const MAX_STREAMS_OF_ALL = 200;
/** How long a consumer may leave its buffer full. */
const SLOW_MS = 30_000;
/** A comment this often shows both ends that the connection lives. */
const HEARTBEAT_MS = 15_000;

/** Server-sent events. Reads only as fast as the consumer takes them. */
export function createEventStreams(
  server: FastifyInstance,
  { access, clock, logger, metrics }: Runtime & { readonly access: ApiAccess },
): EventStreams {
  const closing = new AbortController();
  const open: string[] = [];
  // A stream never ends by itself, and the server waits for its answers.
  server.addHook('preClose', async () => closing.abort());
  const drop = (raw: ServerResponse) => {
    metrics.count('scopemesh_decision_streams_dropped_total');
    logger.warn({}, 'a consumer of the decision stream was too slow; its connection is closed');
    raw.destroy();
    return false;
  };
  const send = async (begun: Extract<Begun, { first: string }>, reply: FastifyReply, ended: AbortSignal) => {
    const { raw } = reply;
    reply.hijack();
    // Its `close` may have passed already, while the stream began.
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
    raw.write(begun.first);
    await withLinkedSignal([gone.signal, closing.signal, ended], async (stop) => {
      const beating = beat(raw, clock, stop);
      const write = async (text: string) => {
        if (stop.aborted) return false;
        if (raw.write(text) || (await drained(raw, stop))) return !stop.aborted;
        return drop(raw);
      };
      try {
        await begun.run({ stop, write });
        raw.end();
      } finally {
        gone.abort();
        await beating;
      }
    });
  };
  return {
    async serve(request, reply, begin) {
      const principal = askerOf(access, request);
      const isFull = open.length >= MAX_STREAMS_OF_ALL;
      if (isFull || open.filter((each) => each === principal).length >= MAX_STREAMS)
        return reply
          .code(429)
          .header('retry-after', '10')
          .send({
            error: isFull
              ? 'there are too many streams; try again later'
              : `you have ${MAX_STREAMS} streams already; close one`,
          });
      open.push(principal);
      metrics.gauge('scopemesh_decision_streams', open.length);
      const watch = access.watch(request);
      try {
        const begun = await begin();
        if ('status' in begun) return reply.code(begun.status).send({ error: begun.error });
        await send(begun, reply, watch.ended);
        return reply;
      } catch (error) {
        logger.warn({ error: messageOf(error) }, 'a stream of decisions ended with an error');
        if (!reply.sent) return reply.code(503).send({ error: messageOf(error) });
        reply.raw.destroy();
        return reply;
      } finally {
        watch.close();
        open.splice(open.indexOf(principal), 1);
        metrics.gauge('scopemesh_decision_streams', open.length);
      }
    },
  };
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
