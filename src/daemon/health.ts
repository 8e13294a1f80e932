import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PrometheusMetrics } from '../app/metrics.js';
import { messageOf } from '../errors.js';
import { type ApiAccess, sendRefusal } from './api-access.js';
import type { Status } from './status.js';

export interface ProbeDeps {
  /** Resolves if an event could be stored durably now. */
  readonly canStore: () => Promise<void>;
  /** Why this replica, which leads, cannot work; undefined if it can, or if another one leads. */
  readonly inability: () => string | undefined;
}

export interface StatusDeps {
  readonly access: Pick<ApiAccess, 'readRefusal'>;
  readonly metrics: PrometheusMetrics;
  /** `holdsAfter`: where the list of holds begins; undefined: at its start. */
  readonly status: (holdsAfter: string | undefined) => Promise<Status>;
  /** What scopemesh wrote, by key and subject; undefined where it is not known. */
  readonly records: () => Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
}

/** How long a probe waits for the store. */
const PROBE_TIMEOUT_MS = 2_000;

/** A probe, and a person, waits no longer than this for a read to begin. */
const MAX_PAUSE_MS = 500;

/** After a read that serves everyone, the next one waits this many times as long as it took. */
const SHARED_REST = 9;
/** After a page, the next one waits this many times as long as it took: a list of all holds takes several. */
const PAGE_REST = 4;

/** The gauges of `/metrics` are read again after this time: the cost of a read grows with what scopemesh keeps. */
const GAUGES_LIFE_MS = 1_000;

/**
 * `/healthz`: the process is alive. `/readyz`: events can be accepted durably, and a leader can read both sides. Every listener has both: a load balancer asks
 * the port to which it sends events, and a supervisor the port that a flood of events does not reach.
 */
export function addProbes(server: FastifyInstance, deps: ProbeDeps): void {
  const check = paced(() => within(PROBE_TIMEOUT_MS, deps.canStore()));
  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    try {
      await check();
      const inability = deps.inability();
      if (inability === undefined) return { status: 'ready' };
      return reply.code(503).send({ status: 'not ready', reason: inability });
    } catch (error) {
      return reply.code(503).send({ status: 'not ready', reason: messageOf(error) });
    }
  });
}

/** `/statusz`, `/statusz/records` and `/metrics`: the state of the process. */
export function addStatus(server: FastifyInstance, deps: StatusDeps): void {
  const preHandler = async (request: FastifyRequest, reply: FastifyReply) => {
    const refusal = deps.access.readRefusal(request);
    if (refusal !== undefined) return sendRefusal(reply, refusal);
  };
  // As text, so that one answer is serialised once for everyone who asks meanwhile.
  const readFirst = sinceAsked(async () => JSON.stringify(await deps.status(undefined)));
  const readPage = rested(PAGE_REST, async (after: string) => JSON.stringify(await deps.status(after)));
  const readRecords = sinceAsked(async () => {
    const records = deps.records();
    return records && JSON.stringify({ records });
  });
  const readGauges = keptFor(GAUGES_LIFE_MS, () => deps.status(undefined));
  // While the store fails, the gauges keep their last values. The other metrics still show the failure.
  deps.metrics.refreshBy(() => readGauges().catch(() => {}));
  const expose = paced(() => deps.metrics.expose());
  server.get<{ Querystring: { holdsAfter?: unknown } }>(
    '/statusz',
    { preHandler },
    async (request, reply) => {
      const { holdsAfter } = request.query;
      try {
        const body =
          typeof holdsAfter === 'string' && holdsAfter !== ''
            ? await readPage(holdsAfter)
            : await readFirst();
        return reply.type('application/json; charset=utf-8').send(body);
      } catch (error) {
        return reply.code(503).send({ reason: messageOf(error) });
      }
    },
  );
  server.get('/statusz/records', { preHandler }, async (_request, reply) => {
    const body = await readRecords();
    if (body === undefined) return reply.code(503).send({ reason: 'only the leader knows the records' });
    return reply.type('application/json; charset=utf-8').send(body);
  });
  server.get('/metrics', { preHandler }, async (_request, reply) => {
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

/**
 * One read at a time: it serves everyone who asks before it ends. The next read begins after a pause, so that requests
 * without a break take at most a tenth of the time of the process. The first read begins at once.
 */
function paced<T>(read: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  const readNext = rested(SHARED_REST, async () => {
    try {
      return await read();
    } finally {
      last = undefined;
    }
  });
  return () => {
    last ??= readNext();
    return last;
  };
}

/**
 * As `paced`, but a read serves only those who asked before it began. Who sends an event and then asks is not shown a state
 * from before the event.
 */
export function sinceAsked<T>(read: () => Promise<T>, maxPauseMs = MAX_PAUSE_MS): () => Promise<T> {
  let next: Promise<T> | undefined;
  const begin = () => {
    next = undefined;
    return read();
  };
  const readNext = rested(SHARED_REST, begin, maxPauseMs);
  return () => {
    next ??= readNext();
    return next;
  };
}

/** One read at a time. After it the next one begins `times` as much later as it took, and `maxPauseMs` at most. */
function rested<A extends readonly unknown[], T>(
  times: number,
  read: (...args: A) => Promise<T>,
  maxPauseMs = MAX_PAUSE_MS,
): (...args: A) => Promise<T> {
  let freeAt = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const readRested = async (...args: A) => {
    const pauseMs = freeAt - performance.now();
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const startedAt = performance.now();
    try {
      return await read(...args);
    } finally {
      const endedAt = performance.now();
      freeAt = endedAt + Math.min(times * (endedAt - startedAt), maxPauseMs);
    }
  };
  return (...args) => {
    const result = turn.then(() => readRested(...args));
    turn = result.catch(() => {});
    return result;
  };
}

/** One read for all who ask within `lifeMs` after it. A failure is not kept. */
export function keptFor<T>(lifeMs: number, read: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  const forget = () => {
    last = undefined;
  };
  return () => {
    last ??= read().then(
      (value) => {
        setTimeout(forget, lifeMs).unref();
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
