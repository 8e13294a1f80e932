import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PrometheusMetrics } from '../cli/metrics.js';
import { messageOf } from '../errors.js';
import { isLoopback } from './http-server.js';
import type { Status } from './status.js';

export interface HealthDeps {
  /** Where the server listens. */
  readonly host: string;
  readonly metrics: PrometheusMetrics;
  /** Resolves if an event could be stored durably now. */
  readonly canStore: () => Promise<void>;
  readonly status: () => Promise<Status>;
}

/** How long a probe waits for the store. */
const PROBE_TIMEOUT_MS = 2_000;

/** `/healthz`: the process is alive. `/readyz`: events can be accepted durably. `/statusz` and `/metrics`: its state. */
export function addHealth(server: FastifyInstance, deps: HealthDeps): void {
  // Otherwise a page whose name was rebound to 127.0.0.1 could read who may call whom.
  const preHandler = async (request: FastifyRequest, reply: FastifyReply) => {
    if (isLoopback(deps.host) && !isLoopback(request.hostname))
      return reply
        .code(403)
        .send({ error: 'use localhost: this listener answers only requests from its own machine' });
  };
  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    try {
      await Promise.race([
        deps.canStore(),
        new Promise((_resolve, reject) =>
          setTimeout(() => reject(new Error('the store does not answer')), PROBE_TIMEOUT_MS).unref(),
        ),
      ]);
      return { status: 'ready' };
    } catch (error) {
      return reply.code(503).send({ status: 'not ready', reason: messageOf(error) });
    }
  });
  server.get('/statusz', { preHandler }, async (_request, reply) => {
    try {
      return await deps.status();
    } catch (error) {
      return reply.code(503).send({ reason: messageOf(error) });
    }
  });
  server.get('/metrics', { preHandler }, async (_request, reply) => {
    // While the store fails, the gauges keep their last values. The other metrics still show the failure.
    await deps.status().catch(() => {});
    const { contentType, body } = await deps.metrics.expose();
    return reply.type(contentType).send(body);
  });
}
