import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, isoInstant } from '../clock.js';
import { messageOf, RejectedEvent, SyncError } from '../errors.js';
import type { EventSource, RawRequest, Reception } from '../identity/source.js';
import { type AcceptDeps, acceptEvents } from '../intake/accept-events.js';
import type { RejectedEvents } from '../intake/rejected-events.js';
import { parseTraceparent, tracedEvents } from '../intake/traced-events.js';
import type { UnstoredEvents } from '../intake/unstored-events.js';
import { TokenBucket } from '../model/token-bucket.js';
import type { Logger, Traced } from '../observe.js';
import { BODY_LIMIT } from './http-server.js';

export interface IntakeDeps extends AcceptDeps, Traced {
  /** By provider name; a provider without a webhook has none. */
  readonly sources: ReadonlyMap<string, EventSource>;
  readonly rejectedEvents: Pick<RejectedEvents, 'record'>;
  readonly unstored: Pick<UnstoredEvents, 'keep'>;
  readonly logger: Logger;
}

interface ReceiveDeps extends IntakeDeps {
  /** Lines in the log about requests that could not be verified. */
  readonly unverified: TokenBucket;
}

const UNVERIFIED_LOGGED = { burst: 10, everyMs: 60_000 };

/**
 * `POST /events/:provider`: 2xx only once the event is durable, 401 or 400 for an event that is refused, 503 while the
 * store cannot take events. GET is only for a handshake, and 405 where the kind of provider has none.
 */
export function addIntake(server: FastifyInstance, intake: IntakeDeps): void {
  const deps: ReceiveDeps = { ...intake, unverified: new TokenBucket(UNVERIFIED_LOGGED) };
  server.route<{ Params: { provider: string } }>({
    method: ['POST', 'GET'],
    url: '/events/:provider',
    // The server itself refuses a request before the handler runs, for example an event that is too long.
    errorHandler: async (error, request, reply) => {
      const source = deps.sources.get(request.params.provider);
      const status = statusOf(error);
      if (source !== undefined && status === 413) {
        const tooLong = new RejectedEvent(
          'ERR_EVENT_INVALID',
          `the event is longer than ${BODY_LIMIT} bytes`,
          413,
        );
        return refuse(source.provider, tooLong, request, reply, deps);
      }
      deps.logger.debug({ status, error: messageOf(error) }, 'a request to /events could not be parsed');
      return reply.code(status).send({ error: status < 500 ? messageOf(error) : 'the request failed' });
    },
    handler: async (request, reply) => {
      const source = deps.sources.get(request.params.provider);
      if (source === undefined)
        return reply.code(404).send({
          error:
            'no provider with this name has a webhook; compare the URL with providers in the configuration',
        });
      if (request.method !== 'POST' && source.answersGet !== true)
        return reply.code(405).header('allow', 'POST').send({ error: 'send events by POST' });
      return receive(source, request, reply, deps);
    },
  });
}

async function receive(source: EventSource, request: FastifyRequest, reply: FastifyReply, deps: ReceiveDeps) {
  const { provider } = source;
  const raw = toRawRequest(request, deps.clock);
  let reception: Reception;
  try {
    reception = await source.receive(raw);
  } catch (error) {
    if (error instanceof RejectedEvent) return refuse(provider, error, request, reply, deps);
    // Nobody knows yet who the sender is, so the log has only some of these lines.
    if (deps.unverified.take(deps.clock.now())) {
      const code = error instanceof SyncError ? error.code : undefined;
      const unlogged = deps.unverified.report();
      deps.logger.error(
        { provider, error: messageOf(error), code, unlogged },
        'an event could not be verified; the sender gets 503 and tries again',
      );
    }
    return tryAgain(reply, 'the event could not be verified; send it again');
  }
  if (reception.kind === 'reply')
    return reply.code(reception.status).type(reception.contentType).send(reception.body);
  const isSignal = reception.isSignal === true;
  const channel = isSignal ? 'signals' : 'webhook';
  // Verified by now: nobody else begins a trace.
  const header = parseTraceparent(raw.headers.traceparent);
  const accept = async (traceparent: string | undefined) => {
    const events = tracedEvents(reception.events, traceparent);
    try {
      const fresh = await acceptEvents(provider, events, channel, deps);
      // Its record is a write of the journal, for which the accepted events do not wait.
      for (const error of reception.rejected ?? [])
        recordRefusal(provider, error, request, deps).catch((cause: unknown) =>
          deps.logger.error({ provider, error: messageOf(cause) }, 'a refused event could not be recorded'),
        );
      return isSignal ? reply.code(202).send() : reply.code(202).send({ accepted: fresh.length });
    } catch (error) {
      deps.unstored.keep(provider, events, channel, error);
      return tryAgain(reply, 'the event could not be stored; send it again');
    }
  };
  return deps.tracing === undefined
    ? accept(header)
    : deps.tracing.begin('receive', header, { provider }, accept);
}

function tryAgain(reply: FastifyReply, error: string) {
  return reply.code(503).header('retry-after', '2').send({ error });
}

async function refuse(
  provider: string,
  error: RejectedEvent,
  request: FastifyRequest,
  reply: FastifyReply,
  deps: IntakeDeps,
) {
  await recordRefusal(provider, error, request, deps);
  // RFC 8935, section 2.3, wants the language of the description.
  return reply.code(error.status).header('content-language', 'en').send(error.answer);
}

async function recordRefusal(
  provider: string,
  error: RejectedEvent,
  request: FastifyRequest,
  deps: IntakeDeps,
) {
  deps.metrics.count('scopemesh_events_total', { provider, result: 'rejected' });
  const receivedAt = isoInstant(deps.clock);
  await deps.rejectedEvents.record(provider, error, { kind: 'webhook', ip: request.ip, receivedAt });
}

function statusOf(error: unknown): number {
  return typeof error === 'object' &&
    error !== null &&
    'statusCode' in error &&
    typeof error.statusCode === 'number'
    ? error.statusCode
    : 500;
}

function toRawRequest(request: FastifyRequest, clock: Clock): RawRequest {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]),
  );
  const query = Object.fromEntries(new URL(request.url, 'http://localhost').searchParams);
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  return { method: request.method, headers, query, body, receivedAt: isoInstant(clock) };
}
