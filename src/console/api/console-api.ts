import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { type ApiAccess, onlyCallers } from '../../daemon/api-access.js';
import { codeOf, messageOf } from '../../errors.js';
import { isRecord } from '../../model/is-record.js';
import type { Logger } from '../../observe.js';
import { safeParse } from '../../safe-parse.js';
import { type Fault, ROUTES } from '../answers.js';
import type { ConsoleParts } from './parts.js';
import { listServices } from './service-list.js';
import { readNow } from './status.js';

export interface ConsoleApiDeps extends ConsoleParts {
  readonly access: ApiAccess;
  /** Why this replica does not answer; undefined if it leads. */
  readonly standby: () => Promise<string | undefined>;
  readonly logger: Logger;
}

interface Route<Q extends z.ZodType, A extends z.ZodType> {
  readonly path: string;
  readonly query: Q;
  readonly answer: A;
}

/** The routes of the console that only read. Each one answers from what the leader has in memory. */
export function addConsoleApi(server: FastifyInstance, deps: ConsoleApiDeps): void {
  const add = <Q extends z.ZodType, A extends z.ZodType>(
    route: Route<Q, A>,
    answer: (query: z.output<Q>, signal: AbortSignal) => Promise<z.input<A>>,
  ) => addRoute(server, route, answer, deps);
  add(ROUTES.status, (_, signal) => readNow(deps, signal));
  add(ROUTES.services, (query, signal) => listServices(deps, query, signal));
}

function addRoute<Q extends z.ZodType, A extends z.ZodType>(
  server: FastifyInstance,
  { path, query: shape }: Route<Q, A>,
  answer: (query: z.output<Q>, signal: AbortSignal) => Promise<z.input<A>>,
  { access, standby, live, store, logger }: ConsoleApiDeps,
): void {
  const url = path.replaceAll(/\{(\w+)\}/g, ':$1');
  server.get(url, { preHandler: onlyCallers(access) }, async (request, reply) => {
    const refuse = (status: number, fault: Fault) => {
      if (fault.retryAfterSeconds !== undefined) reply.header('retry-after', String(fault.retryAfterSeconds));
      return reply.code(status).send(fault);
    };
    const query = safeParse(shape, { ...asRecord(request.query), ...asRecord(request.params) });
    if (!query.success) return refuse(400, { error: faultOf(query.error), code: 'BadQuestion' });
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    try {
      const why = await standby();
      if (why !== undefined) {
        const leader = (await store.fence.read())?.leader.address ?? null;
        return refuse(503, { error: why, code: 'NotLeading', leader, retryAfterSeconds: 1 });
      }
      if (!live().isReconciling)
        return refuse(503, {
          error: 'this process does not reconcile, so it does not know the mesh; ask the one that does',
          code: 'NotReconciling',
        });
      return await reply.send(await answer(query.data, gone.signal));
    } catch (error) {
      if (gone.signal.aborted) return reply;
      logger.warn({ path, code: codeOf(error), error: messageOf(error) }, 'a question of the console failed');
      return refuse(503, { error: messageOf(error), code: 'Unreachable', retryAfterSeconds: 1 });
    }
  });
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function faultOf({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.map(String).join('.') || 'the query'} is missing or not valid: ${issue?.message ?? ''}`;
}
