import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PrometheusMetrics } from '../cli/metrics.js';
import { messageOf } from '../errors.js';
import { type Access, sendRefusal } from './access.js';
import type { Status } from './status.js';

export interface ProbeDeps {
  /** Resolves if an event could be stored durably now. */
  readonly canStore: () => Promise<void>;
}

export interface StatusDeps {
  readonly access: Pick<Access, 'readRefusal'>;
  readonly metrics: PrometheusMetrics;
  /** `holdsAfter`: where the list of holds begins; undefined: at its start. */
  readonly status: (holdsAfter: string | undefined) => Promise<Status>;
}

/** How long a probe waits for the store. */
const PROBE_TIMEOUT_MS = 2_000;

/** The gauges of `/metrics` are read again after this time: the cost of a read grows with what scopemesh keeps. */
const GAUGES_LIFE_MS = 1_000;

/**
 * `/healthz`: the process is alive. `/readyz`: events can be accepted durably. Every listener has both: a load balancer asks
 * the port to which it sends events, and a supervisor the port that a flood of events does not reach.
 */
export function addProbes(server: FastifyInstance, deps: ProbeDeps): void {
  // However many ask, the store is written once at a time.
  const check = readOnce(() => within(PROBE_TIMEOUT_MS, deps.canStore()), 0);
  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    try {
      await check();
      return { status: 'ready' };
    } catch (error) {
      return reply.code(503).send({ status: 'not ready', reason: messageOf(error) });
    }
  });
}

/** `/statusz` and `/metrics`: the state of the process. */
export function addStatus(server: FastifyInstance, deps: StatusDeps): void {
  const preHandler = async (request: FastifyRequest, reply: FastifyReply) => {
    const refusal = deps.access.readRefusal(request);
    if (refusal !== undefined) return sendRefusal(reply, refusal);
  };
  // As text, so that one answer is serialised once for everyone who asks meanwhile.
  const readFirst = readOnce(async () => JSON.stringify(await deps.status(undefined)), 0);
  const readGauges = readOnce(() => deps.status(undefined), GAUGES_LIFE_MS);
  const expose = readOnce(() => deps.metrics.expose(), 0);
  server.get<{ Querystring: { holdsAfter?: unknown } }>(
    '/statusz',
    { preHandler },
    async (request, reply) => {
      const { holdsAfter } = request.query;
      try {
        const body =
          typeof holdsAfter === 'string' && holdsAfter !== ''
            ? JSON.stringify(await deps.status(holdsAfter))
            : await readFirst();
        return reply.type('application/json; charset=utf-8').send(body);
      } catch (error) {
        return reply.code(503).send({ reason: messageOf(error) });
      }
    },
  );
  server.get('/metrics', { preHandler }, async (_request, reply) => {
    // While the store fails, the gauges keep their last values. The other metrics still show the failure.
    await readGauges().catch(() => {});
    const { contentType, body } = await expose();
    return reply.type(contentType).send(body);
  });
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the store does not answer')), ms).unref();
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
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
