import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type BlastView, blastAt, blastNow } from '../cli/blast-view.js';
import { type Clock, isoInstant } from '../clock.js';
import { toCloudEvent } from '../decisions/envelope.js';
import type { Trail } from '../decisions/trail.js';
import { messageOf, SyncError } from '../errors.js';
import type { Logger } from '../observe.js';
import { safeParse } from '../safe-parse.js';
import type { WorldState } from '../state/world-state.js';
import { accessDiff } from '../trail/access-diff.js';
import { nowIn } from '../trail/answer.js';
import { boundTrail } from '../trail/bound-trail.js';
import { callAt } from '../trail/call-at.js';
import { historyOf } from '../trail/history.js';
import { whatCan } from '../trail/what-can.js';
import { whoCanCall } from '../trail/who-can-call.js';
import { type ApiAccess, onlyCallers } from './api-access.js';

export interface TrailApiDeps {
  /** Opens the trail once; the owner of these parts closes it. */
  readonly trail: () => Promise<Trail>;
  /** What Consul has, in a process that reconciles. */
  readonly world: () => WorldState;
  readonly isReconciling: () => boolean;
  readonly access: ApiAccess;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A question reads the disk of the daemon: more at once would slow down its own work. */
const MAX_AT_ONCE = 2;
const DEADLINE_MS = 8_000;

const name = z.string().min(1).max(512);
const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const HISTORY = z.strictObject({
  name,
  since: instant.optional(),
  until: instant.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
const CALL = z.strictObject({
  source: name,
  destination: name,
  at: instant.optional(),
  method: z
    .string()
    .regex(/^[A-Z]{1,16}$/)
    .default('GET'),
  path: z.string().startsWith('/').max(4_096).optional(),
});
const NAMED = z.strictObject({ name, at: instant.optional() });
const SERVICE = z.strictObject({ service: name, at: instant.optional() });
const DIFF = z.strictObject({ from: instant, to: instant.optional() });

/** `GET /api/trail/*`: the questions of the command line, with the same answers as its `--json`. */
export function addTrailApi(server: FastifyInstance, deps: TrailApiDeps): void {
  const { clock } = deps;
  const when = async (trail: Trail, at: string | undefined) => at ?? nowIn(trail, isoInstant(clock));
  const preHandler = onlyCallers(deps.access);
  let running = 0;

  const answers = <T extends z.ZodType>(
    path: string,
    shape: T,
    answer: (trail: Trail, question: z.output<T>) => Promise<unknown>,
    withoutTrail?: (question: z.output<T>) => Promise<unknown> | undefined,
  ) => {
    server.get(`/api/trail/${path}`, { preHandler }, async (request, reply) => {
      const question = safeParse(shape, request.query);
      if (!question.success) return reply.code(400).send({ error: faultOf(question.error) });
      if (running >= MAX_AT_ONCE)
        return reply.code(429).send({ error: `${running} questions are being answered; ask again` });
      running++;
      try {
        const opened = await deps.trail().catch((error: unknown) => {
          const other = isBadQuestion(error) ? withoutTrail?.(question.data) : undefined;
          if (other === undefined) throw error;
          return { other };
        });
        if ('other' in opened) return await reply.send(await opened.other);
        const trail = boundTrail(opened, clock, DEADLINE_MS);
        return await reply.send(await answer(trail, question.data));
      } catch (error) {
        const isQuestion = isBadQuestion(error);
        if (!isQuestion)
          deps.logger.warn({ path, error: messageOf(error) }, 'reading the decision log failed');
        return reply.code(isQuestion ? 400 : 503).send({ error: messageOf(error) });
      } finally {
        running--;
      }
    });
  };

  answers('history', HISTORY, async (trail, { name: about, since, until, limit }) => {
    const answer = await historyOf(trail, about, { from: since, to: until, limit });
    return { ...answer, decisions: answer.decisions.map(toCloudEvent) };
  });
  answers('explain', CALL, async (trail, { source, destination, at, method, path }) => {
    const request = path === undefined ? undefined : { method, path };
    return callAt(trail, { source, destination, request }, await when(trail, at));
  });
  answers('who-can-call', SERVICE, async (trail, { service, at }) =>
    whoCanCall(trail, service, await when(trail, at)),
  );
  answers('what-can', NAMED, async (trail, { name: about, at }) =>
    whatCan(trail, about, await when(trail, at)),
  );
  answers('access-diff', DIFF, async (trail, { from, to }) => accessDiff(trail, from, await when(trail, to)));
  const blast = async (about: string, at: string | undefined, trail?: Trail): Promise<BlastView> => {
    const world = deps.world();
    if (at !== undefined && trail !== undefined)
      return blastAt(about, world.mapping.protectedServices, trail, at);
    if (at === undefined && deps.isReconciling()) return blastNow(about, world, trail, clock.now());
    throw new SyncError(
      'ERR_CONFIG',
      'this process does not reconcile, so it does not know what Consul has: add at=, or ask the process that does',
      { retriable: false },
    );
  };
  answers(
    'blast-radius',
    NAMED,
    (trail, { name: about, at }) => blast(about, at, trail),
    // What Consul has now needs no trail: it only cites the decisions.
    ({ name: about, at }) => (at === undefined ? blast(about, at) : undefined),
  );
}

/** The question cannot be answered; another one may be. */
function isBadQuestion(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'ERR_CONFIG';
}

function faultOf({ issues: [issue] }: z.ZodError): string {
  const where = issue?.path.map(String).join('.') || 'the query';
  return `${where} is missing or invalid: ${issue?.message ?? ''}; instants are ISO 8601, as 2026-01-31T12:00:00Z`;
}
