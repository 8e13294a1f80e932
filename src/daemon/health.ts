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

/** The gauges of `/metrics` are read again after this time: the cost of a read grows with the holds. */
const GAUGES_LIFE_MS = 1_000;

/** `/healthz`: the process is alive. `/readyz`: events can be accepted durably. `/statusz` and `/metrics`: its state. */
export function addHealth(server: FastifyInstance, deps: HealthDeps): void {
  // Otherwise a page whose name was rebound to 127.0.0.1 could read who may call whom.
  const preHandler = async (request: FastifyRequest, reply: FastifyReply) => {
    if (isLoopback(deps.host) && !isLoopback(request.hostname))
      return reply
        .code(403)
        .send({ error: 'use localhost: this listener answers only requests from its own machine' });
  };
  const readStatus = readOnce(deps.status, 0);
  const readGauges = readOnce(deps.status, GAUGES_LIFE_MS);
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
      return await readStatus();
    } catch (error) {
      return reply.code(503).send({ reason: messageOf(error) });
    }
  });
  server.get('/metrics', { preHandler }, async (_request, reply) => {
    // While the store fails, the gauges keep their last values. The other metrics still show the failure.
    await readGauges().catch(() => {});
    const { contentType, body } = await deps.metrics.expose();
    return reply.type(contentType).send(body);
  });
}

/** One read at a time. Its result serves everyone who asks meanwhile, and for `lifeMs` after. A failure is not kept. */
function readOnce<T>(read: () => Promise<T>, lifeMs: number): () => Promise<T> {
  let last: Promise<T> | undefined;
  const forget = () => {
    last = undefined;
  };
  return () => {
    last ??= read().then(
      (value) => {
        if (lifeMs === 0) forget();
        else setTimeout(forget, lifeMs).unref();
        return value;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    return last;
  };
}
