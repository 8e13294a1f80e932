import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { messageOf } from '../errors.js';
import type { Principal } from '../model/cause.js';
import { jsonIn } from '../model/json-in.js';
import type { RulingEnd } from '../model/ruling.js';
import { fromSegments } from '../model/segment.js';
import type { Logger } from '../observe.js';
import { safeParse } from '../safe-parse.js';
import { type ApiAccess, refusalOf, sendRefusal } from './api-access.js';
import { type Action, type Caller, principalOf } from './rights.js';

/** What every request that changes something sends. `user`: with the token file, the name that the command reports. */
export const ChangeBody = z.strictObject({
  user: z
    .string()
    .regex(/^\P{Cc}{1,256}$/u)
    .exactOptional(),
});

export interface ChangeDeps {
  readonly access: Pick<ApiAccess, 'callerOf'>;
  /** Why this replica cannot answer, and which one can; undefined if it leads. */
  readonly standby: () => Promise<string | undefined>;
  readonly logger: Logger;
}

/** Thrown by a change that is not made. */
export class ChangeRefused extends Error {
  readonly status: number;
  readonly answer: { readonly error: string };

  constructor(status: number, answer: { readonly error: string }) {
    super(answer.error);
    this.status = status;
    this.answer = answer;
  }
}

/** What a request asks for, in the name of its caller. */
export interface Change<Body> {
  readonly by: Principal;
  readonly caller: Caller;
  readonly body: Body;
  /** Of the path. */
  readonly params: unknown;
  readonly reply: FastifyReply;
}

/** Adds a POST that changes something. Refuses a caller that may not do `action`. */
export function addChange<Body extends z.infer<typeof ChangeBody>>(
  server: FastifyInstance,
  path: string,
  action: Action,
  deps: ChangeDeps,
  schema: z.ZodType<Body>,
  act: (change: Change<Body>) => Promise<FastifyReply>,
): void {
  server.post(path, async (request, reply) => {
    const caller = deps.access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
    const refusal = refusalOf(caller, action);
    if (refusal !== undefined) return sendRefusal(reply, refusal);
    if (request.headers['content-type'] !== 'application/json')
      return reply.code(415).send({ error: 'send the request as application/json' });
    const body = safeParse(
      schema,
      Buffer.isBuffer(request.body) ? jsonIn(request.body.toString('utf8')) : undefined,
    );
    const by = body.success ? namedBy(caller, body.data.user) : undefined;
    if (!body.success || by === undefined)
      return reply.code(400).send({
        error:
          faultOf(body.error) ??
          (caller.kind === 'local'
            ? 'send { "user": "NAME" } with the name of the user of the operating system, and no key that the route does not have'
            : 'send no "user", and no key that the route does not have; the principal follows from the token or the session'),
      });
    try {
      const standby = await deps.standby();
      if (standby !== undefined) return reply.code(503).send({ error: standby });
      return await act({ by, caller, body: body.data, params: fromSegments(request.params), reply });
    } catch (error) {
      if (error instanceof ChangeRefused) return reply.code(error.status).send(error.answer);
      deps.logger.error({ error: messageOf(error) }, 'a change that a person asked for failed');
      return reply.code(503).send({ error: messageOf(error) });
    }
  });
}

/** Answers what became of a ruling. `view`: the ruling as the API shows it. */
export function sendEnd<T>(
  reply: FastifyReply,
  end: RulingEnd<T>,
  view: (ruling: T) => object,
): FastifyReply {
  switch (end.kind) {
    case 'done':
      return reply.send(view(end.ruling));
    case 'first':
      return reply.code(202).send({ ...view(end.ruling), needsSecond: true });
    case 'refused':
      return reply.code(409).send({ error: end.why });
    case 'unknown':
      return reply.code(404).send({ error: end.why });
  }
}

/** What is wrong with one value of the body; undefined where the keys or the user are wrong. */
function faultOf(error: z.ZodError | undefined): string | undefined {
  const [first] = error?.issues ?? [];
  const [field] = first?.path ?? [];
  if (first === undefined || field === undefined || field === 'user') return undefined;
  const isOurText = !/^(?:Invalid|Unrecognized|Too )/.test(first.message);
  return `the value of "${String(field)}" ${isOurText ? first.message : 'is missing or not valid; GET /api/openapi.yaml describes it'}`;
}

/** Undefined if the body does not fit the caller. */
function namedBy(caller: Caller, user: string | undefined): Principal | undefined {
  const isNamed = user !== undefined;
  return isNamed === (caller.kind === 'local') ? principalOf(caller, user) : undefined;
}
