import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { meshNow } from '../app/blast-view.js';
import type { Clock } from '../clock.js';
import { codeOf, messageOf } from '../errors.js';
import { fieldOf } from '../model/field-of.js';
import type { Logger } from '../observe.js';
import { safeParse } from '../safe-parse.js';
import type { WorldState } from '../state/world-state.js';
import { QUESTIONS } from './answer-question.js';
import { type ApiAccess, askerOf, onlyCallers } from './api-access.js';
import type { Questions } from './questions.js';

export interface TrailApiDeps {
  readonly questions: Questions;
  /** What Consul has, in a process that reconciles. */
  readonly world: () => WorldState;
  readonly isReconciling: () => boolean;
  readonly access: ApiAccess;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The status by the code of the error; 503 for every other one. */
const STATUS: Readonly<Record<string, number>> = { ERR_CONFIG: 400, ERR_BUSY: 429 };

/** `GET /api/trail/*`: the questions of the command line, with the same answers as its `--json`; and `GET /api/edges`. */
export function addTrailApi(server: FastifyInstance, deps: TrailApiDeps): void {
  const { access, clock, logger, questions } = deps;
  const meshOf = (kind: keyof typeof QUESTIONS, query: unknown) => {
    if (kind !== 'blast-radius' || fieldOf(query, 'at') !== undefined || !deps.isReconciling()) return {};
    return { mesh: () => meshNow(String(fieldOf(query, 'name')), deps.world(), clock.now()) };
  };
  for (const kind of kinds(QUESTIONS))
    server.get(
      kind === 'edges' ? '/api/edges' : `/api/trail/${kind}`,
      { preHandler: onlyCallers(access) },
      async (request, reply) => {
        const { query } = request;
        const parsed = safeParse(QUESTIONS[kind].shape, query);
        if (!parsed.success) return reply.code(400).send({ error: faultOf(parsed.error) });
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        try {
          const { protectedServices } = deps.world().mapping;
          const question = { kind, query, now: clock.now(), protectedServices, ...meshOf(kind, query) };
          const answer = await questions.ask(askerOf(access, request), question, gone.signal);
          return await reply.type('application/json; charset=utf-8').send(answer);
        } catch (error) {
          const status = STATUS[codeOf(error)] ?? 503;
          if (status === 503 && !gone.signal.aborted)
            logger.warn({ path: kind, error: messageOf(error) }, 'reading the decision log failed');
          if (status !== 400) reply.header('retry-after', '1');
          return reply.code(status).send({ error: messageOf(error) });
        }
      },
    );
}

function kinds(table: typeof QUESTIONS): readonly (keyof typeof QUESTIONS)[] {
  return Object.keys(table).filter((key): key is keyof typeof QUESTIONS => Object.hasOwn(QUESTIONS, key));
}

function faultOf({ issues: [issue] }: z.ZodError): string {
  const where = issue?.path.map(String).join('.') || 'the query';
  return `${where} is missing or invalid: ${issue?.message ?? ''}; instants are ISO 8601, as 2026-01-31T12:00:00Z`;
}
