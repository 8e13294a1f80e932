import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../src/clock.js';
import { messageOf, RejectedEvent, SyncError } from '../src/errors.js';
import type { EventSource, RawRequest } from '../src/identity/source.js';
import { type AcceptDeps, acceptEvents } from '../src/intake/accept-events.js';
import { limitConnections } from '../src/intake/admission.js';
import type { RejectedEvents } from '../src/intake/rejected-events.js';
import type { Logger } from '../src/observe.js';

const BODY_LIMIT = 1024 * 1024;

export interface IntakeDeps extends AcceptDeps {
  /** By provider name; a provider without a webhook is not in it. */
  readonly sources: ReadonlyMap<string, EventSource>;
  readonly rejectedEvents: RejectedEvents;
  readonly logger: Logger;
}

/** A client id has up to 255 characters; the server's own limit for a part of a path is 100. */
const LONGEST_PARAMETER = 512;

/**
 * `connections` stay far below what a process may open, so that a flood of the listener cannot keep it from reaching
 * Consul. A request is ended `requestMs` after its beginning; that is checked every `checkMs`.
 */
const LIMITS = { connections: 512, requestMs: 10_000, checkMs: 1_000 };

/** Everything over HTTP hangs on this server: limits and timeouts for all routes alike. */
export function createHttpServer(limits: Partial<typeof LIMITS> = {}): FastifyInstance {
  const { connections, requestMs, checkMs } = { ...LIMITS, ...limits };
  const server = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: requestMs,
    // Without the time for the headers, which is a minute, Node takes the longer of the two for the whole request.
    http: { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: checkMs },
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    connectionTimeout: 30_000,
    keepAliveTimeout: 30_000,
    trustProxy: false,
  });
  const admission = limitConnections(server.server, connections);
  server.addHook('preHandler', async ({ raw }) => admission.answering(raw));
  server.addHook('onResponse', async ({ raw }) => admission.answered(raw));
  // Webhooks are verified over their raw bytes, so nothing is parsed here.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return server;
}

/** `POST /events/:provider`: 2xx only once the event is durable; 401 or 400 for what is refused, 503 while nothing can be stored. */
export function addIntake(server: FastifyInstance, deps: IntakeDeps): void {
  server.route<{ Params: { provider: string } }>({
    method: ['POST', 'GET'],
    url: '/events/:provider',
    // What the server itself refuses, before a handler is asked: an event longer than anything that is read.
    errorHandler: async (error, request, reply) => {
      const source = deps.sources.get(request.params.provider);
      const status = statusOf(error);
      if (source !== undefined && status === 413) {
        const tooLong = new RejectedEvent(
          'ERR_EVENT_INVALID',
          `event is longer than ${BODY_LIMIT} bytes`,
          413,
        );
        return refuse(source.provider, tooLong, request, reply, deps);
      }
      deps.logger.debug({ status, error: messageOf(error) }, 'a request was not understood');
      return reply.code(status).send({ error: status < 500 ? messageOf(error) : 'something went wrong' });
    },
    handler: async (request, reply) => {
      const source = deps.sources.get(request.params.provider);
      if (source === undefined)
        return reply
          .code(404)
          .send({ error: 'no provider of this name has a webhook; check the URL against the configuration' });
      return receive(source, request, reply, deps);
    },
  });
}

async function receive(source: EventSource, request: FastifyRequest, reply: FastifyReply, deps: IntakeDeps) {
  const { provider } = source;
  const raw = toRawRequest(request, deps.clock);
  try {
    const reception = await source.receive(raw);
    if (reception.kind === 'reply')
      return reply.code(reception.status).type(reception.contentType).send(reception.body);
    const isSignal = reception.isSignal === true;
    const fresh = await acceptEvents(provider, reception.events, isSignal ? 'signals' : 'webhook', deps);
    for (const error of reception.rejected ?? []) await recordRefusal(provider, error, request, deps);
    return isSignal ? reply.code(202).send() : reply.code(202).send({ accepted: fresh.length });
  } catch (error) {
    if (error instanceof RejectedEvent) return refuse(provider, error, request, reply, deps);
    deps.logger.error(
      { provider, error: messageOf(error), code: error instanceof SyncError ? error.code : undefined },
      'an event could not be stored; the sender is told to try again',
    );
    return reply
      .code(503)
      .header('retry-after', '2')
      .send({ error: 'the event could not be stored; send it again' });
  }
}

async function refuse(
  provider: string,
  error: RejectedEvent,
  request: FastifyRequest,
  reply: FastifyReply,
  deps: IntakeDeps,
) {
  await recordRefusal(provider, error, request, deps);
  // RFC 8935, section 2.3, asks for the language of what is described.
  return reply.code(error.status).header('content-language', 'en').send(error.answer);
}

async function recordRefusal(
  provider: string,
  error: RejectedEvent,
  request: FastifyRequest,
  deps: IntakeDeps,
) {
  deps.metrics.count('scopemesh_events_total', { provider, result: 'rejected' });
  const receivedAt = new Date(deps.clock.now()).toISOString();
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
  return { method: request.method, headers, query, body, receivedAt: new Date(clock.now()).toISOString() };
}
